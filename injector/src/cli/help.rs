//! `injector help`: a topic of the manual, or the help of a subcommand.

use clap::{Args, builder::PossibleValue};

use crate::cli::{
    command,
    exit::{Code, Failure},
    manual::{Topic, text},
    output,
};

/// Explain a subcommand, or the language of rules: rules, net, io, recipes
#[derive(Args, Debug)]
pub(super) struct Help {
    /// A topic or a subcommand; the program itself if none is given
    #[arg(value_parser = subjects())]
    subject: Option<String>,
}

/// All that there is help on, with a line on each.
fn subjects() -> Vec<PossibleValue> {
    let topics =
        Topic::ALL.map(|topic| PossibleValue::new(topic.name()).help(topic.about()).aliases(topic.aliases()));
    let subcommands = SUBCOMMANDS.map(|name| PossibleValue::new(name).hide(true));
    topics.into_iter().chain(subcommands).collect()
}

/// A test compares them with those that there are; asking for them here would be asking for this one.
pub(super) const SUBCOMMANDS: [&str; 14] = [
    "doctor",
    "check",
    "run",
    "attach",
    "experiment",
    "ps",
    "change",
    "pause",
    "resume",
    "stop",
    "recover",
    "completions",
    "man",
    "help",
];

impl Help {
    pub(super) fn run(self) -> Result<Code, Failure> {
        let subject = self.subject.unwrap_or_default();
        if let Some(topic) = Topic::ALL.into_iter().find(|topic| topic.is_called(&subject)) {
            return output::out(&text::of(topic)).map(|()| Code::OK);
        }
        let mut program = command();
        program.build();
        let help = match program.find_subcommand_mut(&subject) {
            Some(subcommand) => subcommand.render_long_help(),
            None => program.render_help(),
        };
        let help = if console::colors_enabled() { help.ansi().to_string() } else { help.to_string() };
        output::out(&help).map(|()| Code::OK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_help_on_each_subcommand() {
        let program = command();
        let names: Vec<_> = program.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(names, SUBCOMMANDS);
    }
}
