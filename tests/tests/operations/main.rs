//! `--io`: operations fail whichever way they come, and only those on the files and the sockets that the
//! rule means.

mod files;
mod postgres;
mod roads;
mod sockets;

use std::path::Path;

use anyhow::Result;
use injector_tests::injector::{Finished, Injector};

/// Runs `words` in `folder` under these rules on operations.
fn under(rules: &[&str], words: &[&str], folder: &Path) -> Result<Finished> {
    let mut injector = Injector::new(["run", "--json"])?;
    for rule in rules {
        injector = injector.words(["--io", rule]);
    }
    injector.logged().command(words).in_folder(std::process::Stdio::null(), folder).finish()
}
