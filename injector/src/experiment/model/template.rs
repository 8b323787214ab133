//! Text with names in it that have a value only while the experiment runs: `${address.etcd1}`, `${n}`, `${leader}`.
//!
//! Parameters are filled in when the file is read; what is left here are the built-in names and those that a `set` step
//! captures. `$${` stands for `${` itself.

use std::fmt;

/// A text with names to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name { name: String, otherwise: Option<String> },
}

/// A name that has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`${{{0}}}` has no value here")]
pub struct Missing(pub String);

impl Template {
    /// Reads `text`. A `${` without its `}` is text.
    pub fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            literal.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(behind) = rest.strip_prefix("$${") {
                literal.push_str("${");
                rest = behind;
            } else if let Some((inside, behind)) =
                rest.strip_prefix("${").and_then(|behind| behind.split_once('}'))
            {
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                }
                let (name, otherwise) = match inside.split_once(":-") {
                    Some((name, otherwise)) => (name, Some(otherwise.to_owned())),
                    None => (inside, None),
                };
                parts.push(Part::Name { name: name.trim().to_owned(), otherwise });
                rest = behind;
            } else {
                literal.push('$');
                rest = &rest[1..];
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Self { parts }
    }

    /// The names in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name { name, .. } => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text with every name's value in its place.
    ///
    /// # Errors
    /// [`Missing`]: `value` knows no value of a name that has no default.
    pub fn fill(&self, value: impl Fn(&str) -> Option<String>) -> Result<String, Missing> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Name { name, otherwise } => match value(name).or_else(|| otherwise.clone()) {
                    Some(value) => text.push_str(&value),
                    None => return Err(Missing(name.clone())),
                },
            }
        }
        Ok(text)
    }
}

impl fmt::Display for Template {
    /// As the file has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => f.write_str(&text.replace("${", "$${"))?,
                Part::Name { name, otherwise: None } => write!(f, "${{{name}}}")?,
                Part::Name { name, otherwise: Some(otherwise) } => write!(f, "${{{name}:-{otherwise}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Missing, Template};

    fn value(name: &str) -> Option<String> {
        (name == "n").then(|| "7".to_owned())
    }

    #[test]
    fn names_are_filled_in_and_a_doubled_dollar_stands_for_itself() {
        let filled = |text: &str| Template::new(text).fill(value);
        assert_eq!(filled("put k/${n} ${ n }").as_deref(), Ok("put k/7 7"));
        assert_eq!(filled("cost $5, $${n}, ${n").as_deref(), Ok("cost $5, ${n}, ${n"));
        assert_eq!(filled("${m:-none}").as_deref(), Ok("none"));
        assert_eq!(filled("${m}"), Err(Missing("m".to_owned())));
    }

    #[test]
    fn a_template_prints_as_it_was_read() {
        for text in ["a ${n} b", "$${n}", "${m:-x y}", "$", ""] {
            assert_eq!(Template::new(text).to_string(), text);
        }
    }
}
