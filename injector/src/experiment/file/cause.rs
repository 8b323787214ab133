//! What can be wrong with a file, and what to do about it.

use crate::{
    experiment::condition::ConditionError,
    spec::{SpecError, nearest::or},
};

/// The cause of a problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// It is no YAML, or too much of it.
    #[error("{message}")]
    Yaml {
        /// What the reader of YAML says.
        message: String,
        /// What to do.
        hint: String,
    },
    /// A key that is not known there.
    #[error("there is no key `{key}` here")]
    UnknownKey {
        /// The key.
        key: String,
        /// What it may stand for.
        near: Option<String>,
        /// What there is.
        known: Vec<String>,
    },
    /// `limit`, `stress`, `disk`.
    #[error("`{0}` is not there yet")]
    NotYet(String),
    /// A key that has to be there.
    #[error("the key `{0}` is missing")]
    MissingKey(&'static str),
    /// None of several keys, one of which has to be there.
    #[error("{what} needs one of these keys: {}", listed(.keys))]
    NoneOf {
        /// What.
        what: &'static str,
        /// The keys.
        keys: Vec<&'static str>,
    },
    /// Several of them.
    #[error("{what} has {}, and may have one of them only", listed(.found))]
    SeveralOf {
        /// What.
        what: &'static str,
        /// Those that are there.
        found: Vec<&'static str>,
    },
    /// A key that belongs to something else.
    #[error("`{key}` has no meaning in {what}")]
    Misplaced {
        /// The key.
        key: &'static str,
        /// Where it is.
        what: &'static str,
        /// Where it belongs.
        belongs: &'static str,
    },
    /// A value that is not one of a few words.
    #[error("`{word}` is no {what}")]
    Word {
        /// The word.
        word: String,
        /// What it should be.
        what: &'static str,
        /// The nearest of the known ones.
        near: Option<String>,
        /// What can be written.
        hint: String,
    },
    /// A value of a form of its own.
    #[error("`{text}` is no {what}")]
    Value {
        /// The value.
        text: String,
        /// What it should be.
        what: &'static str,
        /// What to write instead.
        hint: String,
    },
    /// It has to be there, and is empty.
    #[error("there is no {0}")]
    Empty(&'static str),
    /// A time.
    #[error("{0}")]
    Time(SpecError),
    /// A rule.
    #[error("{}", .0.problem())]
    Rule(SpecError),
    /// A condition.
    #[error("{}", .0.problem())]
    Condition(ConditionError),
    /// A regular expression, a JSONPath, a cron expression.
    #[error("this is no {what}: {message}")]
    Expression {
        /// What it should be.
        what: &'static str,
        /// What its reader says.
        message: String,
    },
    /// Nothing has this name.
    #[error("there is no {what} `{name}`")]
    UnknownName {
        /// What kind of thing.
        what: &'static str,
        /// The name.
        name: String,
        /// What it may stand for.
        near: Option<String>,
        /// Where such things are.
        hint: String,
    },
    /// `${name}`, where it has no value.
    #[error("`${{{0}}}` has no value here")]
    NoValue(String, &'static str),
    /// Two things have this name.
    #[error("the name `{0}` is taken")]
    Taken(String),
    /// Parameters without a value.
    #[error("no value is given for {}", listed(.0))]
    MissingParameters(Vec<String>),
    /// `--set` of a name that the file does not have.
    #[error("--set names the parameter `{name}`, which the file does not have")]
    UnknownParameter {
        /// The name.
        name: String,
        /// What it may stand for.
        near: Option<String>,
    },
    /// Something that was read and makes no sense.
    #[error("{message}")]
    Senseless {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
}

/// In backticks, with commas between.
fn listed<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    words.join(", ")
}

impl Cause {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Yaml { hint, .. } | Self::Value { hint, .. } | Self::Senseless { hint, .. } => hint.clone(),
            Self::UnknownKey { near, known, .. } => {
                or(near.as_ref(), &format!("the keys here are {}", known.join(", ")))
            }
            Self::NotYet(_) => {
                "faults are syscall, io, net, cut and process; write limits of services under `limits`"
                    .to_owned()
            }
            Self::MissingKey("injector") => {
                "begin the file with `injector: 1`, the version of its format".to_owned()
            }
            Self::MissingKey(key) => format!("add `{key}: …`; `injector experiment schema` has all keys"),
            Self::NoneOf { keys, .. } => format!("add one of {}", keys.join(", ")),
            Self::SeveralOf { what, .. } => {
                format!("leave one of them; another {} can have the other", bare(what))
            }
            Self::Misplaced { belongs, .. } => format!("it belongs to {belongs}"),
            Self::Word { near, hint, .. } | Self::UnknownName { near, hint, .. } => or(near.as_ref(), hint),
            Self::Empty(what) => format!("write one, or leave the {what} out with its key"),
            Self::Time(error) | Self::Rule(error) => error.hint(),
            Self::Condition(error) => error.hint(),
            Self::Expression { what: "JSONPath", .. } => {
                "paths are as in RFC 9535, such as $.items[0].name".to_owned()
            }
            Self::Expression { what: "cron expression", .. } => {
                "write five fields: minute, hour, day, month, day of the week, such as '*/5 * * * *'"
                    .to_owned()
            }
            Self::Expression { .. } => {
                "the syntax is that of Rust's regex; in YAML it is best in 'single quotes'".to_owned()
            }
            Self::NoValue(_, where_it_has) => (*where_it_has).to_owned(),
            Self::Taken(_) => "give one of them another name".to_owned(),
            Self::MissingParameters(names) => {
                let options: Vec<_> = names.iter().map(|name| format!("--set {name}=VALUE")).collect();
                format!("add {}, or a `default` in the file", options.join(" "))
            }
            Self::UnknownParameter { near, .. } => {
                or(near.as_ref(), "parameters are those under `parameters`, and `${NAME:-VALUE}` in texts")
            }
        }
    }
}

/// Without its article.
fn bare(what: &str) -> &str {
    what.split_once(' ').map_or(what, |(_, noun)| noun)
}
