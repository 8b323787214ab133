//! A user's distribution: one of tc's tables (`NAME.dist`), or a list of measured latencies. Which of them it
//! is, the units say: a table has plain whole numbers, a latency has its unit.

use std::{
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use injector_common::delay::{TABLE_SIZE, Table};

use crate::{
    distribution::{SCALE, entry_of},
    spec::nanoseconds,
};

/// Values that a file may have, as in netem (`NETEM_DIST_MAX`).
const MOST_ENTRIES: usize = 16_384;
/// Bytes that a file may have: room for that many values with their units, and for comments.
const MOST_BYTES: u64 = 1 << 20;
/// Fewer measured latencies than this say nothing about a distribution.
const LEAST_LATENCIES: usize = 10;

/// Why a file is no distribution.
#[derive(Debug, thiserror::Error)]
pub enum DistributionError {
    /// It cannot be read.
    #[error("cannot read the distribution {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Not a file: a pipe or a device may never end, or never begin.
    #[error("cannot read the distribution {path}: it is not a regular file")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Too large.
    #[error("cannot read the distribution {path}: it is larger than 1 MiB")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Whoever asked for a change did not send what the file says.
    #[error("the distribution {path} did not come with the request")]
    NotSent {
        /// The file.
        path: PathBuf,
    },
    /// Something in it is neither.
    #[error("{path}:{line}: `{word}` is neither a whole number from -32768 to 32767 nor a time")]
    Word {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What stands there.
        word: String,
    },
    /// Both are in it.
    #[error("{path}:{line}: `{word}` is of another kind than what stands before it")]
    Mixed {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What stands there.
        word: String,
    },
    /// Too little or too much is in it.
    #[error("{path} has {count} values, and a distribution has {least} to {MOST_ENTRIES}")]
    Count {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
        /// How many there have to be.
        least: usize,
    },
    /// All its values are the same.
    #[error("all values of {path} are the same, so there is no jitter to distribute")]
    Flat {
        /// The file.
        path: PathBuf,
    },
}

impl DistributionError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "name a file that exists and can be read",
            Self::NotAFile { .. } => "name a regular file",
            Self::TooLarge { .. } => "give a sample of the values: 16384 are enough",
            Self::NotSent { .. } => "use the same version of injector for both",
            Self::Word { .. } | Self::Mixed { .. } => {
                "write whole numbers, as tc's .dist files have them, or latencies with their units, such as `12.5ms`"
            }
            Self::Count { .. } => "give more values, or only a sample of them",
            Self::Flat { .. } => "leave the distribution and the jitter out: a constant delay needs neither",
        }
    }
}

/// Reads the file at `path`.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn read(path: &Path) -> Result<Box<Table>, DistributionError> {
    let failed = |source| DistributionError::Read { path: path.to_owned(), source };
    // Without O_NONBLOCK the opening of a FIFO waits for a writer; O_NOCTTY for a terminal.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(DistributionError::NotAFile { path: path.to_owned() });
    }
    // Whatever its size is said to be: it may grow, and those of /proc have none.
    let mut text = String::new();
    let length = file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    if length as u64 > MOST_BYTES {
        return Err(DistributionError::TooLarge { path: path.to_owned() });
    }
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<Box<Table>, DistributionError> {
    let mut entries: Vec<f64> = Vec::new();
    let mut times: Vec<f64> = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        for word in line.split('#').next().unwrap_or_default().split_whitespace() {
            let at = || (path.to_owned(), word.to_owned());
            if let Ok(entry) = word.parse::<i16>() {
                entries.push(f64::from(entry) / SCALE);
            } else if let Some(time) = nanoseconds(word) {
                times.push(Duration::from_nanos(time).as_secs_f64());
            } else {
                let (path, word) = at();
                return Err(DistributionError::Word { path, line: number, word });
            }
            if !entries.is_empty() && !times.is_empty() {
                let (path, word) = at();
                return Err(DistributionError::Mixed { path, line: number, word });
            }
        }
    }
    let (mut values, least) = if times.is_empty() { (entries, 1) } else { (times, LEAST_LATENCIES) };
    if !(least..=MOST_ENTRIES).contains(&values.len()) {
        return Err(DistributionError::Count { path: path.to_owned(), count: values.len(), least });
    }
    values.sort_by(f64::total_cmp);
    if values.first() == values.last() {
        return Err(DistributionError::Flat { path: path.to_owned() });
    }
    if least == LEAST_LATENCIES {
        standardize(&mut values);
    }
    Ok(resampled(&values))
}

/// Latencies about their mean, in standard deviations: what the rule's time and jitter then stand for.
#[expect(clippy::cast_precision_loss, reason = "some thousands at most")]
fn standardize(values: &mut [f64]) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (*value - mean).powi(2)).sum::<f64>() / count;
    for value in values {
        *value = (*value - mean) / variance.sqrt();
    }
}

/// As many entries as a table has, each with the value at the middle of its step.
fn resampled(values: &[f64]) -> Box<Table> {
    let mut table = Box::new([0; TABLE_SIZE]);
    for (place, entry) in table.iter_mut().enumerate() {
        let at = (2 * place + 1) * values.len() / (2 * TABLE_SIZE);
        *entry = entry_of(values.get(at).copied().unwrap_or_default());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Box<Table>, String> {
        parse(Path::new("my.dist"), text).map_err(|error| format!("{error}; {}", error.hint()))
    }

    #[test]
    fn a_table_of_tcs_is_taken_as_it_is() {
        let numbers: Vec<_> = (-2048..2048).map(|n: i16| n.to_string()).collect();
        let table = parsed(&format!("# a comment\n{}", numbers.join(" "))).unwrap();
        assert!(table.iter().zip(0..).all(|(&entry, n): (&i16, i16)| entry == n - 2048));
        // A smaller one has steps that are as likely as each other.
        let table = parsed("-8192 0\n8192 # one jitter late\n16384").unwrap();
        assert_eq!([table[0], table[1023], table[1024], table[4095]], [-8192, -8192, 0, 16384]);
        assert_eq!(parsed("3 1 2"), parsed("1 2 3"));
    }

    #[test]
    fn latencies_are_taken_about_their_mean() {
        let text = "10ms 10ms 10ms 10ms 10ms 10ms 10ms 10ms 10ms 20ms";
        let table = parsed(text).unwrap();
        // Mean 11 ms, standard deviation 3 ms.
        assert_eq!([table[0], table[4095]], [-2731, 24576]);
        assert_eq!(table.iter().filter(|&&entry| entry > 0).count(), 410);
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        for (text, message) in [
            ("", "my.dist has 0 values"),
            ("# nothing", "has 0 values"),
            ("1 2 x", "my.dist:1: `x` is neither"),
            ("1\n2\n40000", "my.dist:3: `40000` is neither"),
            ("1.5", "`1.5` is neither"),
            ("10ms 12", "my.dist:1: `12` is of another kind"),
            ("12 10ms", "`10ms` is of another kind"),
            ("10ms 11ms", "has 2 values, and a distribution has 10 to 16384"),
            ("5 5 5", "all values of my.dist are the same"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
        assert!(parsed(&"1 2 ".repeat(8193)).unwrap_err().contains("16386 values"));
        assert!(read(Path::new("/no/such.dist")).unwrap_err().to_string().contains("/no/such.dist"));
    }

    #[test]
    fn what_is_no_file_or_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [fifo.as_path(), Path::new("/dev/zero"), folder.path()] {
            let error = read(path).unwrap_err();
            assert!(matches!(error, DistributionError::NotAFile { .. }), "{error}");
        }
        let file = folder.path().join("file");
        let spaces = |count: usize| std::fs::write(&file, format!("1 2{}", " ".repeat(count))).unwrap();
        spaces((1 << 20) - 3);
        assert_eq!(read(&file).ok(), parsed("1 2").ok());
        spaces((1 << 20) - 2);
        assert!(matches!(read(&file).unwrap_err(), DistributionError::TooLarge { .. }));
    }
}
