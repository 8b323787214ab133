//! Commands by symptom: those of docs/recipes.md, each under its heading with the sentence that says what it does.

use crate::cli::manual::Section;

/// The page itself. In the checkout it is a link; a packaged crate has the page in its place.
const PAGE: &str = include_str!("../../../recipes.md");

pub(super) fn sections() -> Vec<Section> {
    of(PAGE)
}

/// Those of a page that has a `## Symptom`, a paragraph, and the commands in a block, and any more text behind that.
fn of(page: &'static str) -> Vec<Section> {
    let recipes = page.split("\n## ").skip(1).filter_map(|recipe| {
        let (heading, rest) = recipe.split_once('\n')?;
        let (before, rest) = rest.split_once("```sh\n")?;
        let (commands, _) = rest.split_once("```")?;
        let commands = commands.lines().collect();
        Some(Section { heading, text: vec![before.trim()], commands, ..Section::default() })
    });
    let opening = "Put your own names in: `app` stands for a unit, 5432 for a port. In place of --unit, say --container \
                   NAME, --pod NAMESPACE/NAME, --cgroup PATH or --pid PID, or start the program by `injector run`. \
                   `injector stop --all` ends all plans at once.";
    std::iter::once(Section::new("Recipes", &[opening], &[])).chain(recipes).collect()
}
