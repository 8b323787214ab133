//! What a name means as a pattern: itself, what a glob means, or what a regular expression between slashes finds.

use regex::Regex;

/// A compiled pattern.
#[derive(Debug)]
pub(super) enum Pattern {
    /// Means one thing.
    Exact(String),
    /// Means whatever matches.
    Any(Regex),
}

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Self, regex::Error> {
        if let Some(inner) = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
            return Regex::new(inner).map(Self::Any);
        }
        Ok(if is_glob(text) { Self::Any(Regex::new(&glob(text))?) } else { Self::Exact(text.to_owned()) })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Any(regex) => regex.is_match(text),
        }
    }

    /// Does it mean any number of things?
    pub(super) fn is_any(&self) -> bool {
        matches!(self, Self::Any(_))
    }
}

pub(super) fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The whole text as a regular expression. A `[` without its `]` is itself, as in a shell.
fn glob(text: &str) -> String {
    let mut regex = String::from("^");
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match (first, rest.find(']')) {
            ('*', _) => regex += ".*",
            ('?', _) => regex += ".",
            ('[', Some(end)) if end > 0 => {
                let set = rest[..end].replace('\\', "\\\\").replace('[', "\\[");
                regex += "[";
                regex += &set.strip_prefix('!').map_or(set.clone(), |set| format!("^{set}"));
                regex += "]";
                rest = &rest[end + 1..];
            }
            _ => regex += &regex::escape(first.encode_utf8(&mut [0; 4])),
        }
    }
    regex + "$"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_globs_and_expressions() {
        for (pattern, text, matches) in [
            ("web", "web", true),
            ("web", "web-1", false),
            ("web-*", "web-1", true),
            ("web-*", "a-web-1", false),
            ("web-?", "web-12", false),
            ("web-[12]", "web-2", true),
            ("web-[!12]", "web-2", false),
            ("a.b*", "axb", false),
            ("web[", "web[", true),
            ("/^web-\\d+$/", "web-12", true),
            ("/web/", "my-web-1", true),
        ] {
            assert_eq!(Pattern::new(pattern).unwrap().matches(text), matches, "{pattern} {text}");
        }
        assert!(Pattern::new("/(/").is_err());
        assert!(!Pattern::new("web").unwrap().is_any() && Pattern::new("/web/").unwrap().is_any());
    }
}
