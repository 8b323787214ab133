//! What an experiment does besides injecting faults: commands and requests.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::experiment::model::{Located, Template};

/// One thing that is done once, such as a step of the rollback.
#[derive(Clone, Debug)]
pub struct Action {
    /// What.
    pub deed: Located<Deed>,
    /// The service in whose network namespace it is done; outside of the lab if there is none.
    pub inside: Option<String>,
    /// It fails when it takes longer. 30 s.
    pub timeout: Duration,
}

/// What an action is.
#[derive(Clone, Debug)]
pub enum Deed {
    /// A command, which is to exit with 0.
    Run(CommandLine),
    /// A request, which is to be answered with a status below 400.
    Http(HttpRequest),
}

/// A command as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// A text: `sh -c`.
    Shell(Template),
    /// A list: the program and its arguments.
    Words(Vec<Template>),
}

/// An HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// `http://` only.
    pub url: Template,
    /// `GET`.
    pub method: String,
    /// Beside those that every request has.
    pub headers: BTreeMap<String, Template>,
    /// What is sent with it.
    pub body: Option<Template>,
}

impl fmt::Display for Deed {
    /// As the file has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(line) => line.fmt(f),
            Self::Http(request) => write!(f, "{} {}", request.method, request.url),
        }
    }
}

impl fmt::Display for CommandLine {
    /// As the file has it, the words of a list with blanks between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::Shell(text) => std::slice::from_ref(text),
            Self::Words(words) => words,
        };
        for (place, word) in words.iter().enumerate() {
            write!(f, "{}{word}", if place == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{CommandLine, Deed, Template};

    #[test]
    fn an_action_is_shown_as_the_file_has_it() {
        let words = ["mkdir", "${dir.db}/wal"].map(Template::new).to_vec();
        assert_eq!(Deed::Run(CommandLine::Words(words)).to_string(), "mkdir ${dir.db}/wal");
    }
}
