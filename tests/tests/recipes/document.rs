//! docs/recipes.md as a reader takes it: under each heading a command to copy, and what is said about it.

use anyhow::{Context as _, Result};

const TEXT: &str = include_str!("../../../docs/recipes.md");

/// A recipe of the document.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// Its heading.
    pub(crate) symptom: &'static str,
    /// The line to type.
    pub(crate) command: &'static str,
    /// All that stands under the heading.
    pub(crate) text: &'static str,
}

impl Recipe {
    /// The recipe for a symptom.
    pub(crate) fn of(symptom: &str) -> Result<Self> {
        let found = recipes()?.into_iter().find(|recipe| recipe.symptom == symptom);
        found.with_context(|| format!("docs/recipes.md has no `## {symptom}`"))
    }
}

/// All of them, in their order.
pub(crate) fn recipes() -> Result<Vec<Recipe>> {
    TEXT.split("\n## ").skip(1).map(recipe).collect()
}

fn recipe(text: &'static str) -> Result<Recipe> {
    let (symptom, text) = text.split_once('\n').context("a heading without a text")?;
    let command = text.split("```").nth(1).and_then(|block| block.strip_prefix("sh\n"));
    let command = command.with_context(|| format!("`## {symptom}` has no block of sh"))?.trim();
    Ok(Recipe { symptom, command, text })
}
