//! `loss [random] P [CORRELATION]`, `loss gemodel p [r [1-h [1-k]]]`, `loss state p13 [p31 [p32 [p23 [p14]]]]`.

use std::fmt;

use crate::spec::{
    error::Located,
    netem::{
        chance::{Chance, NONE, share},
        reader::Reader,
    },
    problem::{NetemProblem, TriggerProblem},
    units::Probability,
    word::Word,
};

/// A model of loss, in tc-netem(8)'s terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Every packet with this probability.
    Random(Chance),
    /// Gilbert's and Elliott's two states.
    Gemodel {
        /// From good to bad.
        p: Probability,
        /// From bad to good. netem's default: 1 - p.
        r: Probability,
        /// Loss in the bad state, netem's 1-h; all by default.
        bad: Probability,
        /// Loss in the good state, netem's 1-k; none by default.
        good: Probability,
    },
    /// Four states: 1 received, 4 lost alone; in a burst, 2 received, 3 lost.
    State {
        /// From 1 to 3.
        p13: Probability,
        /// From 3 to 1. netem's default: 1 - p13.
        p31: Probability,
        /// From 3 to 2; never by default.
        p32: Probability,
        /// From 2 to 3; at once by default.
        p23: Probability,
        /// From 1 to 4; never by default.
        p14: Probability,
    },
}

impl Loss {
    /// Reads what follows `loss`.
    pub(super) fn read(name: Word<'_>, words: &mut Reader<'_>) -> Result<Self, Located> {
        if let Some(model) = words.exactly("gemodel") {
            return gemodel(model, words);
        }
        if let Some(model) = words.exactly("state") {
            return state(model, words);
        }
        let random = words.exactly("random");
        let example = if random.is_some() { "loss random 10%" } else { "loss 10%" };
        let first = words.value(random.unwrap_or(name), example)?;
        if random.is_none() && !first.text.contains(|c: char| c == '%' || c.is_ascii_digit()) {
            return Err(first.problem(NetemProblem::UnknownLoss(first.text.into())));
        }
        Chance::from(name, first, words).map(Self::Random)
    }
}

fn gemodel(name: Word<'_>, words: &mut Reader<'_>) -> Result<Loss, Located> {
    let first = words.value(name, "loss gemodel 1% 10%")?;
    let p = never_zero(share("p", first)?, first)?;
    let r = optional(words, "r", complement(p))?;
    let bad = optional(words, "1-h", Probability::ALWAYS)?;
    let good = optional(words, "1-k", NONE)?;
    Ok(Loss::Gemodel { p, r, bad, good })
}

fn state(name: Word<'_>, words: &mut Reader<'_>) -> Result<Loss, Located> {
    let first = words.value(name, "loss state 1% 20%")?;
    let p13 = share("p13", first)?;
    let p31 = optional(words, "p31", complement(p13))?;
    let p32 = optional(words, "p32", NONE)?;
    let p23 = optional(words, "p23", Probability::ALWAYS)?;
    let p14 = optional(words, "p14", NONE)?;
    for (names, one, other) in [("p13 and p14", p13, p14), ("p31 and p32", p31, p32)] {
        if one.numerator() + other.numerator() > Probability::ALWAYS.numerator() {
            return Err(first.problem(NetemProblem::MoreThanAll(names)));
        }
    }
    if p13 == NONE && p14 == NONE {
        return Err(first.problem(TriggerProblem::NeverByChance(first.text.into())));
    }
    Ok(Loss::State { p13, p31, p32, p23, p14 })
}

fn optional(
    words: &mut Reader<'_>,
    name: &'static str,
    default: Probability,
) -> Result<Probability, Located> {
    words.number().map_or(Ok(default), |word| share(name, word))
}

fn never_zero(probability: Probability, word: Word<'_>) -> Result<Probability, Located> {
    if probability == NONE {
        return Err(word.problem(TriggerProblem::NeverByChance(word.text.into())));
    }
    Ok(probability)
}

fn complement(probability: Probability) -> Probability {
    Probability::new(Probability::ALWAYS.numerator() - probability.numerator()).unwrap_or(NONE)
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random(chance) => write!(f, "loss {chance}"),
            Self::Gemodel { p, r, bad, good } => write!(f, "loss gemodel {p} {r} {bad} {good}"),
            Self::State { p13, p31, p32, p23, p14 } => {
                write!(f, "loss state {p13} {p31} {p32} {p23} {p14}")
            }
        }
    }
}
