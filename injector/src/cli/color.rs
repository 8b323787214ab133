//! Colour on the terminal: whether there is any, and what has which. Nothing is said by colour alone.

use std::{
    env,
    ffi::OsString,
    fmt,
    io::{self, IsTerminal as _},
};

use clap::{ColorChoice, ValueEnum};
use console::{Style, set_colors_enabled, set_colors_enabled_stderr};

/// When there is colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless $NO_COLOR is set or $TERM is `dumb`
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// What a command line asks for, which need not be one that is understood: messages about it have colour, too.
    pub(super) fn asked(words: impl IntoIterator<Item = OsString>) -> Self {
        let words = words.into_iter().take_while(|word| word != "--");
        let words: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        let apart = words.windows(2).filter(|two| two[0] == "--color").map(|two| two[1].as_str());
        let joined = words.iter().filter_map(|word| word.strip_prefix("--color="));
        joined.chain(apart).find_map(|value| Self::from_str(value, false).ok()).unwrap_or_default()
    }

    /// Has all that is written from now on be so.
    pub(super) fn apply(self) {
        set_colors_enabled(self.shines(io::stdout().is_terminal()));
        set_colors_enabled_stderr(self.on_stderr());
    }

    /// Is there colour on stderr?
    pub(super) fn on_stderr(self) -> bool {
        self.shines(io::stderr().is_terminal())
    }

    /// Is there colour on a stream that is a `terminal` or not?
    fn shines(self, terminal: bool) -> bool {
        let unwanted = || env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self {
            Self::Auto => terminal && !unwanted() && !console::is_dumb(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

impl From<Color> for ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

/// A title or the head of a table, on stdout.
pub(super) fn title(text: impl fmt::Display) -> String {
    Style::new().bold().apply_to(text).to_string()
}

/// The same on stderr.
pub(super) fn title_aside(text: impl fmt::Display) -> String {
    Style::new().for_stderr().bold().apply_to(text).to_string()
}

/// What there is to type, on stdout.
pub(super) fn typed(text: impl fmt::Display) -> String {
    Style::new().cyan().apply_to(text).to_string()
}

/// What works, on stdout.
pub(super) fn good(text: impl fmt::Display) -> String {
    Style::new().green().apply_to(text).to_string()
}

/// What does not, on stdout.
pub(super) fn bad(text: impl fmt::Display) -> String {
    Style::new().red().apply_to(text).to_string()
}

/// A message for stderr with its first word, such as `error:`, in the colour for that.
pub(super) fn message(text: &str) -> String {
    let style = Style::new().for_stderr().bold();
    let style = match text.split_once(':').map(|(kind, _)| kind) {
        Some("error") => style.red(),
        Some("warning" | "WARNING") => style.yellow(),
        Some("hint") => style.cyan(),
        Some("note") => style.dim(),
        _ => return text.to_owned(),
    };
    let (kind, rest) = text.split_at(text.find(':').map_or(0, |at| at + 1));
    format!("{}{rest}", style.apply_to(kind))
}

#[cfg(test)]
mod tests {
    use super::Color;

    fn asked(line: &str) -> Color {
        Color::asked(line.split(' ').map(Into::into))
    }

    #[test]
    fn what_a_command_line_asks_for() {
        assert_eq!(asked("injector --color never ps"), Color::Never);
        assert_eq!(asked("injector atach --color=always"), Color::Always);
        assert_eq!(asked("injector ps --color=blue"), Color::Auto);
        // That is the command's own.
        assert_eq!(asked("injector run -- grep --color=always x"), Color::Auto);
    }

    #[test]
    fn a_choice_goes_before_the_terminal() {
        assert!(Color::Always.shines(false) && !Color::Never.shines(true) && !Color::Auto.shines(false));
    }
}
