//! The second half of a rule on packets, in the words of tc-netem(8): what happens to them.

use super::{
    error::{Located, Problem},
    nearest::nearest,
    net::value,
    packet::NetFault,
    units::Probability,
    word::Word,
};

/// What this version does to packets.
const FAULT_WORDS: [&str; 2] = ["loss", "partition"];

/// netem's other words, and those of the design that this version does not do yet.
const LATER: [&str; 14] = [
    "corrupt",
    "delay",
    "distribution",
    "dns",
    "duplicate",
    "ecn",
    "gap",
    "latency",
    "limit",
    "rate",
    "reject",
    "reorder",
    "seed",
    "slot",
];

/// What to do instead of [`LATER`].
const INSTEAD: &str = "this version does `loss P%` and `partition`";

/// Does a NETEM begin with this word, in this version or another?
pub(super) fn is_fault(word: &str) -> bool {
    FAULT_WORDS.contains(&word) || LATER.contains(&word)
}

/// Reads it.
pub(super) fn fault(text: Word<'_>) -> Result<NetFault, Located> {
    let mut words = text.words();
    let Some(word) = words.next() else { return Err(text.problem(Problem::NoNetFault)) };
    let fault = match word.text {
        "partition" => NetFault::Partition,
        "loss" => {
            let mut given = value(word, words.next(), "loss 10%")?;
            if let "gemodel" | "state" = given.text {
                return Err(
                    given.problem(Problem::NotYet { word: format!("loss {}", given.text), instead: INSTEAD })
                );
            }
            if given.text == "random" {
                given = value(given, words.next(), "loss random 10%")?;
            }
            NetFault::Loss(loss(given)?)
        }
        later if LATER.contains(&later) => {
            return Err(word.problem(Problem::NotYet { word: later.into(), instead: INSTEAD }));
        }
        other => {
            // tc takes `drop` for `loss`.
            let near = if other == "drop" { Some("loss".into()) } else { nearest(other, FAULT_WORDS) };
            return Err(word.problem(Problem::UnknownNetFault { word: other.into(), near }));
        }
    };
    match words.next() {
        None => Ok(fault),
        Some(more) if LATER.contains(&more.text) => {
            Err(more.problem(Problem::NotYet { word: more.text.into(), instead: INSTEAD }))
        }
        Some(more) if word.text == "loss" && more.text.ends_with('%') => {
            let word = "a correlation of losses".to_owned();
            Err(more.problem(Problem::NotYet { word, instead: INSTEAD }))
        }
        Some(more) => Err(more.problem(Problem::Surplus(more.text.into()))),
    }
}

/// A probability as netem prints it: a percentage.
fn loss(word: Word<'_>) -> Result<Probability, Located> {
    let number = word.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if number {
        return Err(word.problem(Problem::LossWithoutPercent(word.text.into())));
    }
    Probability::parse(word)
}
