//! `injector check`: what rules mean, without root, without a kernel that could have them, and without doing anything.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use injector::{plan, spec::model::Rule};

use crate::cli::{
    arguments::Rules,
    completions,
    exit::{Code, Failure},
    output,
};

/// Say what each rule means in a line, and whether it is one
///
/// It takes neither root nor a certain kernel, and does nothing. Whether this kernel can do what a rule says, `injector
/// doctor --rule` tells. Exit code 125 if a rule is not valid, or is refused on every kernel.
#[derive(Args, Debug)]
pub(super) struct Check {
    /// Rules of any kind, as -e takes them
    #[arg(value_name = "RULE", help_heading = "Rules", add = ArgValueCompleter::new(completions::expressions))]
    written: Vec<String>,
    #[command(flatten)]
    rules: Rules,
    /// Allow what run, attach and change do with --unsafe
    #[arg(long = "unsafe", help_heading = "Rules")]
    allow_unsafe: bool,
}

impl Check {
    pub(super) fn run(self) -> Result<Code, Failure> {
        let written = self.written.iter().map(|text| text.parse::<Rule>());
        let mut rules: Vec<_> = written.collect();
        rules.extend(self.rules.each());
        if rules.is_empty() {
            return Err(Failure::usage(
                "check needs a rule, and none was given",
                "name one, as in `injector check \
                 inject=fsync:error=EIO`; `injector help rules` has the words",
            ));
        }
        let mut code = Code::OK;
        for rule in rules {
            match rule.map_err(Failure::from).and_then(|rule| self.told(&rule)) {
                Ok(line) => output::out(&line)?,
                Err(failure) => {
                    output::failure(&failure);
                    code = Code::RUN_FAILED;
                }
            }
        }
        Ok(code)
    }

    /// The rule with its meaning, and what there is to note.
    fn told(&self, rule: &Rule) -> Result<String, Failure> {
        let notes =
            plan::check_anywhere(rule, self.allow_unsafe).map_err(injector::engine::EngineError::from)?;
        let meaning = format!("{}: {}\n", output::shown(&rule.text), output::shown(rule.meaning()));
        let notes = notes.iter().map(|note| format!("  note: {}\n", output::shown(note)));
        Ok(std::iter::once(meaning).chain(notes).collect())
    }
}
