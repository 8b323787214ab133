//! When a packet arrives: `delay TIME [JITTER [CORRELATION]] [distribution D]`, `reorder P [CORRELATION] [gap N]`
//! and `rate RATE [PACKETOVERHEAD [CELLSIZE [CELLOVERHEAD]]]`.

use std::{fmt, path::PathBuf};

use injector_common::delay::LONGEST;

use crate::spec::{
    error::Located,
    nearest::nearest,
    netem::{
        chance::{Chance, NONE, correlation},
        reader::Reader,
    },
    problem::NetemProblem,
    quantity::{rate, show_rate, show_size, show_time, time},
    units::Probability,
    word::Word,
};

/// A delay. Times in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay {
    /// The middle, nanoseconds.
    pub time: u64,
    /// How far delays spread about the middle, nanoseconds; 0 for a fixed delay.
    pub jitter: u64,
    /// Of two delays in succession.
    pub correlation: Probability,
    /// How delays spread about the middle.
    pub distribution: Distribution,
    /// Does no packet overtake another of its flow?
    pub ordered: bool,
}

/// How delays spread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Distribution {
    /// From `time - jitter` to `time + jitter`, all alike. The default, as in netem.
    #[default]
    Uniform,
    /// With the jitter as its standard deviation.
    Normal,
    /// Most a little early, a few very late.
    Pareto,
    /// A quarter normal, three quarters pareto.
    ParetoNormal,
    /// As a file says: one of tc's tables, or measured latencies.
    File(PathBuf),
}

impl Delay {
    /// Reads what follows `delay`.
    pub(super) fn read(name: Word<'_>, words: &mut Reader<'_>) -> Result<Self, Located> {
        let first = words.value(name, "delay 100ms 20ms")?;
        let middle = bounded(first)?;
        let jitter = words.number().map_or(Ok(0), bounded)?;
        let correlation = words.number().map_or(Ok(NONE), correlation)?;
        if middle == 0 && jitter == 0 {
            return Err(first.problem(NetemProblem::NoDelay(first.text.into())));
        }
        Ok(Self { time: middle, jitter, correlation, distribution: Distribution::Uniform, ordered: false })
    }
}

fn bounded(word: Word<'_>) -> Result<u64, Located> {
    let time = time(word)?;
    if time > LONGEST { Err(word.problem(NetemProblem::TooLong(word.text.into()))) } else { Ok(time) }
}

impl Distribution {
    const NAMES: [&str; 4] = ["uniform", "normal", "pareto", "paretonormal"];

    /// netem's word for it; none for the uniform one, which goes without saying, and for files.
    pub(in crate::spec) const fn name(&self) -> Option<&'static str> {
        match self {
            Self::Normal => Some("normal"),
            Self::Pareto => Some("pareto"),
            Self::ParetoNormal => Some("paretonormal"),
            Self::Uniform | Self::File(_) => None,
        }
    }

    /// Reads what follows `distribution`. What has a `/` in it is a file.
    pub(in crate::spec) fn read(word: Word<'_>) -> Result<Self, Located> {
        Ok(match word.text {
            "uniform" => Self::Uniform,
            "normal" => Self::Normal,
            "pareto" => Self::Pareto,
            "paretonormal" => Self::ParetoNormal,
            path if path.contains('/') => Self::File(path.into()),
            other => {
                let near = nearest(other, Self::NAMES);
                return Err(word.problem(NetemProblem::UnknownDistribution { word: other.into(), near }));
            }
        })
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delay {}", show_time(self.time))?;
        if self.jitter > 0 || self.correlation != NONE {
            write!(f, " {}", show_time(self.jitter))?;
        }
        if self.correlation != NONE {
            write!(f, " {}", self.correlation)?;
        }
        match (&self.distribution, self.distribution.name()) {
            (_, Some(name)) => write!(f, " distribution {name}")?,
            (Distribution::File(path), _) => write!(f, " distribution {}", path.display())?,
            _ => {}
        }
        if self.ordered { f.write_str(" ordered") } else { Ok(()) }
    }
}

/// Packets that are not delayed and so overtake others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reorder {
    /// Which.
    pub chance: Chance,
    /// Of so many packets at most one overtakes, from 1.
    pub gap: u32,
}

impl fmt::Display for Reorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reorder {}", self.chance)?;
        if self.gap == 1 { Ok(()) } else { write!(f, " gap {}", self.gap) }
    }
}

/// A wire that takes its time for every byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Bits per second, never 0.
    pub bits: u64,
    /// Bytes that each packet costs more, or less.
    pub packet_overhead: i32,
    /// Bytes of a packet in one cell; 0 for a wire without cells.
    pub cell: u32,
    /// Bytes that each cell costs more, or less.
    pub cell_overhead: i32,
    /// Bytes that pass at once where the wire was idle before; 0 for none.
    pub burst: u64,
}

impl Rate {
    /// Reads what follows `rate`.
    pub(super) fn read(name: Word<'_>, words: &mut Reader<'_>) -> Result<Self, Located> {
        let bits = rate(words.value(name, "rate 1mbit")?)?;
        let packet_overhead = words.number().map_or(Ok(0), bytes)?;
        let cell = words.number().map_or(Ok(0), bytes)?;
        let cell_overhead = words.number().map_or(Ok(0), bytes)?;
        Ok(Self { bits, packet_overhead, cell, cell_overhead, burst: 0 })
    }
}

/// A small number of bytes.
fn bytes<T: TryFrom<i32>>(word: Word<'_>) -> Result<T, Located> {
    const MOST: i32 = 65_535;
    let number = word.text.parse::<i32>().ok().filter(|number| (-MOST..=MOST).contains(number));
    let number = number.and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| word.problem(NetemProblem::Bytes(word.text.into())))
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rate {}", show_rate(self.bits))?;
        let (cell, overhead) = (i64::from(self.cell), i64::from(self.cell_overhead));
        let rest = [i64::from(self.packet_overhead), cell, overhead];
        let shown = rest.iter().rposition(|&value| value != 0).map_or(0, |last| last + 1);
        rest.iter().take(shown).try_for_each(|value| write!(f, " {value}"))?;
        if self.burst == 0 { Ok(()) } else { write!(f, " burst {}", show_size(self.burst)) }
    }
}
