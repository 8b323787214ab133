//! A guest that counts instructions, in which a part of this very program measures something.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::checkout;
use crate::kernel::{self, Name};
use crate::vm::{Ending, Guest, Streams};

/// The whole of one kernel takes three to ten minutes.
const LIMIT: Duration = Duration::from_mins(40);

/// What `bench WORDS` prints there.
pub(super) fn counted(name: Name, preemptible: bool, words: &[String]) -> Result<String> {
    let mut guest = Guest::new(kernel::ready(name)?);
    guest.name = format!("bench-{name}");
    guest.icount = true;
    guest.limit = LIMIT;
    guest.directory = checkout::root();
    guest.streams = Streams::Capture;
    guest.env = vec![("CARGO_TARGET_DIR".to_owned(), checkout::target().display().to_string())];
    if preemptible {
        guest.append.push("preempt=full".to_owned());
    }
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut command = vec![program.display().to_string(), "bench".to_owned()];
    command.extend_from_slice(words);
    let outcome = guest.run(&command)?;
    if !outcome.good() {
        let how = match &outcome.ending {
            Ending::Exited(code) => format!("exit code {code}"),
            other => format!("{other:?}"),
        };
        let said = String::from_utf8_lossy(&outcome.stderr);
        let trouble = outcome.trouble.join("\n");
        bail!(
            "the measurement on {name} failed ({how}): {said}{trouble}\nall of it: {}",
            checkout::shown(&outcome.folder)
        );
    }
    Ok(String::from_utf8_lossy(&outcome.stdout).into_owned())
}
