//! The checkout's last commit: what `injector --version` names, and the time that everything in a release bears, so
//! that whoever builds the same commit gets the same files.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{checkout, child};

/// Enough digits to be unique for a long time, as git shows them for large projects.
const DIGITS: usize = 12;

/// What git says of the last commit.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    /// All digits.
    pub(crate) hash: String,
    /// When it was made, in seconds since 1970.
    pub(crate) time: u64,
    /// The same as RFC 3339 has it.
    pub(crate) date: String,
    /// Whether the checkout has changes that are in no commit.
    changed: bool,
}

impl Commit {
    /// The last one; an error where there is no git, or no repository.
    pub(crate) fn last() -> Result<Self> {
        let said = git(&["log", "-1", "--format=%H %ct %cd", "--date=format-local:%Y-%m-%dT%H:%M:%SZ"])?;
        let mut words = said.split(' ');
        let (Some(hash), Some(time), Some(date)) = (words.next(), words.next(), words.next()) else {
            bail!("git says {said:?} of the last commit");
        };
        Ok(Self {
            hash: hash.to_owned(),
            time: time.parse().with_context(|| format!("git gives {time:?} as a time"))?,
            date: date.to_owned(),
            changed: !changes(&["--untracked-files=no"])?.is_empty(),
        })
    }

    /// As `--version` shows it.
    pub(crate) fn shown(&self) -> String {
        let short = &self.hash[..DIGITS.min(self.hash.len())];
        if self.changed { format!("{short} with changes") } else { short.to_owned() }
    }
}

/// Is all in a commit that is to be packaged?
pub(crate) fn require_clean() -> Result<()> {
    let changes = changes(&[])?;
    if !changes.is_empty() {
        bail!("the checkout is not as its last commit has it; commit it, or add --allow-dirty:\n{changes}");
    }
    Ok(())
}

fn changes(options: &[&str]) -> Result<String> {
    git(&[&["status", "--porcelain"], options].concat())
}

fn git(words: &[&str]) -> Result<String> {
    child::output(Command::new("git").args(words).current_dir(checkout::root()).env("TZ", "UTC0"))
}
