//! The near miss: which known word did the user most likely mean?

use std::borrow::Cow;

/// What an unknown word may stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Near {
    /// This word of ours.
    Word(Cow<'static, str>),
    /// What no single word of ours says; the whole hint.
    Otherwise(Cow<'static, str>),
}

impl Near {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Word(word) => format!("did you mean `{word}`?"),
            Self::Otherwise(hint) => hint.clone().into_owned(),
        }
    }
}

impl From<String> for Near {
    fn from(word: String) -> Self {
        Self::Word(word.into())
    }
}

/// The known word closest to `word`, if it is close enough to be worth a question.
///
/// Close enough is one edit (a letter more, less, other, or two swapped) for every three letters, so
/// that `EIOO` is asked back as `EIO`, and `foo` is not asked back as `fork`.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // Nobody's slip, and the distance costs the product of both lengths.
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let asked = word.to_ascii_lowercase();
    let allowed = (asked.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&asked, &candidate.to_ascii_lowercase()), candidate))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, candidate)| (distance, candidate.len().abs_diff(word.len())))
        .map(|(_, candidate)| candidate.to_owned())
}

/// The near miss as a question, or what else can be said.
pub(crate) fn or(near: Option<&String>, otherwise: &str) -> String {
    near.map_or_else(|| otherwise.to_owned(), |near| format!("did you mean `{near}`?"))
}

/// The same where it may be more than a question.
pub(super) fn hint_or(near: Option<&Near>, otherwise: &str) -> String {
    near.map_or_else(|| otherwise.to_owned(), Near::hint)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["fork", "fsync", "fdatasync", "openat", "open"];
        assert_eq!(nearest("fsnyc", known).as_deref(), Some("fsync"));
        assert_eq!(nearest("OPENAT", known).as_deref(), Some("openat"));
        assert_eq!(nearest("fdatasnc", known).as_deref(), Some("fdatasync"));
        assert_eq!(nearest("foo", known), None);
        assert_eq!(nearest("teapot", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"fork".repeat(100_000), known), None);
    }
}
