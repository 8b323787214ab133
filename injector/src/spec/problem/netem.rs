//! What can be wrong with what is to happen to packets, each with its remedy.

use thiserror::Error;

use crate::spec::nearest::{Near, hint_or, or};

/// Why a text does not say what is to happen to packets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message is the documentation of its variant")]
pub enum NetemProblem {
    #[error("`{word}` is not something that can happen to packets")]
    UnknownNetFault { word: String, near: Option<Near> },
    #[error("`{0}` is one word too many")]
    Surplus(String),
    #[error("`{word}` {why}")]
    NotHere { word: String, why: &'static str, instead: &'static str },
    #[error("`{name} {number}` has no `%`")]
    NoPercent { name: String, number: String },
    #[error("`{0}` is not a model of loss")]
    UnknownLoss(String),
    #[error("a correlation of `{0}` has no `%`")]
    BareCorrelation(String),
    #[error("`{0}` is not a correlation")]
    Correlation(String),
    #[error("{name} of `{number}` has no `%`")]
    BareShare { name: &'static str, number: String },
    #[error("`{word}` is not a percentage, as {name} has to be")]
    Share { name: &'static str, word: String },
    #[error("{0} leave the same state, and together they are more than 100%")]
    MoreThanAll(&'static str),
    #[error("a time of `{0}` has no unit")]
    TimeWithoutUnit(String),
    #[error("`{0}` is not a time")]
    Time(String),
    #[error("`{0}` is longer than an hour, for which a packet can be kept at most")]
    TooLong(String),
    #[error("a delay of `{0}` is no delay")]
    NoDelay(String),
    #[error("a rate of `{0}` has no unit")]
    RateWithoutUnit(String),
    #[error("`{0}` is not a rate")]
    Rate(String),
    #[error("at a rate of `{0}` nothing passes")]
    NoRate(String),
    #[error("`{0}` is not a number of bytes that a rate can add")]
    Bytes(String),
    #[error("a size of `{0}` has no unit")]
    SizeWithoutUnit(String),
    #[error("`{0}` is not a size")]
    Size(String),
    #[error("`burst` is what passes a `rate` at once, and there is no rate")]
    NothingToBurst,
    #[error("`{0}` is not a number of packets")]
    PacketCount(String),
    #[error("`{word}` is not a distribution")]
    UnknownDistribution { word: String, near: Option<String> },
    #[error("a distribution says how jitter spreads, and there is no jitter")]
    NothingToDistribute { example: &'static str },
    #[error("`ordered` keeps jitter from letting packets overtake each other, and there is no jitter")]
    NothingToOrder,
    #[error("`reorder` lets packets overtake those that are delayed, and none is")]
    NothingToOvertake,
    #[error("`gap` says which packets may overtake others, and there is no `reorder`")]
    GapAlone,
    #[error("{0} is no error that a program ever gets from connect(2)")]
    ConnectError(String),
    #[error("`{word}` is not a way to refuse packets")]
    UnknownAnswer { word: String, near: Option<String> },
    #[error("`{word}` is not something that ICMP calls unreachable")]
    UnknownUnreachable { word: String, near: Option<String> },
}

impl NetemProblem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownNetFault { near, .. } => hint_or(
                near.as_ref(),
                "the words are loss, duplicate, corrupt, delay, distribution, ordered, reorder, gap, rate, burst, limit, partition, connect=, reject and dns",
            ),
            Self::Surplus(_) => "leave it out; docs/rules.md has the values of each word".into(),
            Self::NotHere { instead, .. } => (*instead).into(),
            Self::NoPercent { name, number } => format!("write `{name} {number}%`"),
            Self::UnknownLoss(_) => "write `loss 10%`, `loss gemodel 1% 10%` or `loss state 1% 20%`".into(),
            Self::BareCorrelation(number) | Self::BareShare { number, .. } => format!("write `{number}%`"),
            Self::Correlation(_) | Self::Share { .. } => {
                "write a percentage from `0%` to `100%`, such as `25%`".into()
            }
            Self::MoreThanAll(_) => "lower one of them".into(),
            Self::TimeWithoutUnit(number) => {
                format!("write `{number}s` for seconds, `{number}ms` for milliseconds, `{number}us` for microseconds")
            }
            Self::Time(_) => "write a number with `s`, `ms`, `us` or `ns`, such as `100ms`".into(),
            Self::TooLong(_) => "write a shorter time, or `partition` where nothing is to pass".into(),
            Self::NoDelay(_) => "write a time above zero, such as `delay 100ms`, or leave it out".into(),
            Self::RateWithoutUnit(number) => {
                format!("write `{number}kbit` for 1000 bits in a second, `{number}kbps` for 1000 bytes")
            }
            Self::Rate(_) => "write a number with its unit, such as `1mbit` (bits) or `125kbps` (bytes)".into(),
            Self::NoRate(_) => "write `partition` where nothing is to pass".into(),
            Self::Bytes(_) => {
                "write whole numbers up to 65535, as in `rate 1mbit 18 48 5`: the overhead of a packet, the size of a \
                 cell, the overhead of a cell"
                    .into()
            }
            Self::SizeWithoutUnit(number) => format!("write `{number}kb` for 1024 bytes each, or `{number}b`"),
            Self::Size(_) => "write a number above zero with `b`, `kb` (1024 bytes), `mb` or `gb`, such as `15kb`".into(),
            Self::NothingToBurst => "add a rate, as in `rate 1mbit burst 15kb`".into(),
            Self::PacketCount(_) => "write a whole number from 1 on, such as `limit 1000` or `gap 5`".into(),
            Self::UnknownDistribution { near, .. } => or(
                near.as_ref(),
                "write uniform, normal, pareto, paretonormal, or the path of a file, with a `/` in it",
            ),
            Self::NothingToDistribute { example } => format!("write `{example}`"),
            Self::NothingToOrder => "write `delay 100ms 20ms ordered`".into(),
            Self::NothingToOvertake => "add a delay, as in `delay 10ms reorder 25% 50%`".into(),
            Self::ConnectError(_) => "write an error such as ECONNREFUSED, ETIMEDOUT or EHOSTUNREACH".into(),
            Self::UnknownAnswer { near, .. } => {
                or(near.as_ref(), "write `reject`, `reject rst` or `reject icmp`, with port, host, net or admin behind it")
            }
            Self::UnknownUnreachable { near, .. } => or(near.as_ref(), "the words are port, host, net and admin"),
            Self::GapAlone => "write `delay 10ms reorder 100% gap 5`".into(),
        }
    }
}
