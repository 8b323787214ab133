//! The recipes of docs/recipes.md: each command is read from the document and run on a small program, which then shows
//! the symptom, in the words that the document gives. All of a kernel's recipes run at once.

mod document;
mod injection;
mod stock;
mod trial;

use anyhow::Result;

#[test]
fn all_recipes_are_on_trial() -> Result<()> {
    let mut told: Vec<_> = document::recipes()?.iter().map(|recipe| recipe.symptom).collect();
    let mut tried: Vec<_> =
        stock::TRIALS.iter().chain(&injection::TRIALS).map(|trial| trial.symptom).collect();
    told.sort_unstable();
    tried.sort_unstable();
    assert_eq!(told, tried);
    Ok(())
}
