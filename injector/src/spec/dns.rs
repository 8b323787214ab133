//! `dns nxdomain|servfail|refused|timeout [for NAMES]`: which questions for names are answered, and how.

use std::fmt;

use injector_common::{
    dns::{NXDOMAIN, REFUSED, SERVFAIL, TIMEOUT},
    name::{LETTERS, too_many_fronts},
};

use crate::spec::{error::Located, nearest::nearest, problem::DnsProblem, word::Word};

/// What asks for a name, and is told what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// What it is told.
    pub answer: Answer,
    /// Which names, in small letters, each with one `*` at most; empty for all.
    pub names: Vec<String>,
}

/// What somebody is told who asks for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// There is none.
    NxDomain,
    /// The server could not find out.
    ServFail,
    /// The server does not say.
    Refused,
    /// Nothing.
    Timeout,
}

impl Answer {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::NxDomain, Self::ServFail, Self::Refused, Self::Timeout];

    /// The word of the grammar.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NxDomain => "nxdomain",
            Self::ServFail => "servfail",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
        }
    }

    /// Its number, as the kernel side reads it.
    pub const fn number(self) -> u32 {
        match self {
            Self::NxDomain => NXDOMAIN,
            Self::ServFail => SERVFAIL,
            Self::Refused => REFUSED,
            Self::Timeout => TIMEOUT,
        }
    }

    pub(super) fn read(word: Word<'_>) -> Result<Self, Located> {
        let known = Self::ALL.into_iter().find(|answer| answer.word().eq_ignore_ascii_case(word.text));
        known.ok_or_else(|| {
            let near = nearest(word.text, Self::ALL.map(Self::word));
            word.problem(DnsProblem::UnknownDns { word: word.text.into(), near })
        })
    }
}

impl Dns {
    /// Reads the names, a list with commas.
    pub(super) fn names(answer: Answer, list: Word<'_>) -> Result<Self, Located> {
        let names =
            list.whole_pieces("db.internal,*.example.com")?.map(name).collect::<Result<Vec<_>, _>>()?;
        if too_many_fronts(names.iter().map(String::as_str)) {
            return Err(list.problem(DnsProblem::NameFronts));
        }
        Ok(Self { answer, names })
    }
}

/// One name or pattern.
fn name(word: Word<'_>) -> Result<String, Located> {
    /// The longest label (RFC 1035, 2.3.4).
    const LABEL: usize = 63;
    let name = word.text.strip_suffix('.').unwrap_or(word.text).to_ascii_lowercase();
    if let Some(other) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !"-_.*".contains(*c)) {
        return Err(word.problem(DnsProblem::NameLetter(other)));
    }
    if name.split('.').any(str::is_empty) {
        return Err(word.problem(DnsProblem::NoName(word.text.into())));
    }
    if name.matches('*').count() > 1 {
        return Err(word.problem(DnsProblem::NameStars(word.text.into())));
    }
    // A star stands for dots, too, so what is around it may be of several labels.
    let long = name.split('.').any(|label| !label.contains('*') && label.len() > LABEL);
    if long || name.replace('*', "").len() > LETTERS {
        return Err(word.problem(DnsProblem::NameTooLong));
    }
    Ok(name)
}

impl fmt::Display for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dns {}", self.answer.word())?;
        if self.names.is_empty() { Ok(()) } else { write!(f, " for {}", self.names.join(",")) }
    }
}
