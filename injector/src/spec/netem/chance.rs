//! `P [CORRELATION]`, and the percentages of the loss models.

use std::fmt;

use crate::spec::{
    error::Located, netem::reader::Reader, problem::NetemProblem, units::Probability, word::Word,
};

/// How often something happens, and how much it depends on whether it happened the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance {
    /// The share of packets; above zero.
    pub probability: Probability,
    /// Of two packets in succession; may be zero.
    pub correlation: Probability,
}

impl Chance {
    /// Reads what follows `name`; a correlation is optional.
    pub(super) fn read(
        name: Word<'_>,
        words: &mut Reader<'_>,
        example: &'static str,
    ) -> Result<Self, Located> {
        Self::from(name, words.value(name, example)?, words)
    }

    /// Reads what follows its first word.
    pub(super) fn from(name: Word<'_>, first: Word<'_>, words: &mut Reader<'_>) -> Result<Self, Located> {
        let probability = probability(name, first)?;
        let correlation = words.number().map_or(Ok(NONE), correlation)?;
        Ok(Self { probability, correlation })
    }
}

impl fmt::Display for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.probability)?;
        if self.correlation == NONE { Ok(()) } else { write!(f, " {}", self.correlation) }
    }
}

/// Never.
pub(super) const NONE: Probability = match Probability::new(0) {
    Some(none) => none,
    None => Probability::ALWAYS,
};

/// A probability above zero as netem prints it: a percentage.
pub(super) fn probability(name: Word<'_>, word: Word<'_>) -> Result<Probability, Located> {
    if is_bare(word) {
        return Err(
            word.problem(NetemProblem::NoPercent { name: name.text.into(), number: word.text.into() })
        );
    }
    Probability::parse(word)
}

/// A correlation: zero is none.
pub(super) fn correlation(word: Word<'_>) -> Result<Probability, Located> {
    if is_bare(word) {
        return Err(word.problem(NetemProblem::BareCorrelation(word.text.into())));
    }
    Probability::percentage(word).ok_or_else(|| word.problem(NetemProblem::Correlation(word.text.into())))
}

/// A percentage that may be zero, of the parameter `name` of a model.
pub(super) fn share(name: &'static str, word: Word<'_>) -> Result<Probability, Located> {
    if is_bare(word) {
        return Err(word.problem(NetemProblem::BareShare { name, number: word.text.into() }));
    }
    Probability::percentage(word)
        .ok_or_else(|| word.problem(NetemProblem::Share { name, word: word.text.into() }))
}

/// A number without its unit.
fn is_bare(word: Word<'_>) -> bool {
    word.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}
