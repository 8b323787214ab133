//! Texts that are understood when the file is read: times, conditions, expressions, words, names.

use std::{fmt::Display, str::FromStr as _, time::Duration};

use crate::{
    experiment::{
        condition::Condition,
        file::{
            cause::Cause,
            form::Text,
            meaning::reader::{Reader, refusal},
        },
        model::Located,
    },
    spec::{nearest::nearest, units},
};

impl Reader<'_> {
    /// A time above zero.
    pub(super) fn duration(&mut self, text: &Text) -> Option<Duration> {
        self.parsed(text, |text| {
            units::duration(text).map_err(|error| refusal(Some(error.span()), Cause::Time(error)))
        })
    }

    /// The same where there may be none.
    pub(super) fn duration_or(&mut self, text: Option<&Text>, otherwise: Duration) -> Duration {
        text.and_then(|text| self.duration(text)).unwrap_or(otherwise)
    }

    /// A condition.
    pub(super) fn condition(&mut self, text: &Text) -> Option<Located<Condition>> {
        let condition = self.parsed(text, |text| {
            Condition::from_str(text).map_err(|error| refusal(Some(error.span()), Cause::Condition(error)))
        });
        condition.map(|value| Located { value, place: text.place })
    }

    /// All of them.
    pub(super) fn conditions(&mut self, texts: &[Text]) -> Vec<Located<Condition>> {
        texts.iter().filter_map(|text| self.condition(text)).collect()
    }

    /// A text that a reader of another crate understands.
    pub(super) fn expression<T, E: Display>(
        &mut self,
        text: &Text,
        what: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.parsed(text, |text| {
            parse(text).map_err(|error| {
                // That of regex has several lines, of which the last one says it.
                let message = error.to_string();
                let message = message.lines().last().unwrap_or_default();
                let message = message.strip_prefix("error: ").unwrap_or(message).to_owned();
                refusal(None, Cause::Expression { what, message })
            })
        })
    }

    /// A regular expression.
    pub(super) fn regex(&mut self, text: &Text) -> Option<regex::bytes::Regex> {
        self.expression(text, "regular expression", by_line)
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        text: &Text,
        what: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        self.parsed(text, |word| {
            let found = words.iter().find(|(name, _)| *name == word).map(|&(_, value)| value);
            found.ok_or_else(|| {
                let names = || words.iter().map(|&(name, _)| name);
                let near = nearest(word, names());
                let hint = format!("write one of {}", names().collect::<Vec<_>>().join(", "));
                refusal(None, Cause::Word { word: word.to_owned(), what, near, hint })
            })
        })
    }

    /// The name of a service of the lab.
    pub(super) fn service(&mut self, text: &Text) -> Option<String> {
        let name = self.plain(text).ok()?;
        if !self.services.contains(name.text.as_str()) {
            let near = nearest(&name.text, self.services.iter().copied());
            let hint = if self.services.is_empty() {
                "there is no lab with services in this file".to_owned()
            } else {
                format!("services are {}", self.services.iter().copied().collect::<Vec<_>>().join(", "))
            };
            let cause = Cause::UnknownName { what: "service", name: name.text.clone(), near, hint };
            self.wrong_in(text, &name, 0..name.text.len(), cause);
        }
        Some(name.text)
    }

    /// The same where there may be none.
    pub(super) fn service_or_none(&mut self, text: Option<&Text>) -> Option<String> {
        text.and_then(|text| self.service(text))
    }

    /// The name that something is given: letters, digits, `-` and `_`.
    pub(super) fn given_name(&mut self, text: &Text) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if text.value.is_empty() || !text.value.chars().all(plain) {
            let hint = "names are made of letters, digits, `-` and `_`".to_owned();
            self.wrong(text, Cause::Value { text: text.value.clone(), what: "name", hint });
        }
        text.value.clone()
    }
}

/// A regular expression in which `^` and `$` are the ends of a line: what commands print ends with one.
pub(super) fn by_line(text: &str) -> Result<regex::bytes::Regex, regex::Error> {
    regex::bytes::RegexBuilder::new(text).multi_line(true).build()
}
