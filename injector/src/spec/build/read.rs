//! Reading what was built.

use crate::spec::{SpecError, error::Located, model::Rule, problem::WordProblem, units::Probability};

/// Reads the text of a rule. `several` is one of its words that is more than one to the grammar.
pub(super) fn read(text: &str, several: Option<&String>) -> Result<Rule, SpecError> {
    if let Some(word) = several {
        let start = text.find(word.as_str()).unwrap_or(0);
        let problem = WordProblem::Separator(word.clone()).into();
        return Err(SpecError::new("rule", text, Located { problem, span: start..start + word.len() }));
    }
    let rule: Rule = text.parse()?;
    Ok(Rule { text: rule.to_string(), ..rule })
}

/// A fraction of one as a percentage. One that is no probability reads as none.
pub(super) fn percent(fraction: f64) -> String {
    match Probability::of_fraction(fraction) {
        Some(probability) => probability.to_string(),
        None => format!("{}%", fraction * 100.0),
    }
}
