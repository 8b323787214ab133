//! What was made, tried in guests as people will use it: what is for this machine injects, on a stock kernel; what is for
//! another one starts, and says what the kernel can.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};

use super::names;
use super::prefix::Prefix;
use crate::architecture::Architecture;
use crate::checkout;
use crate::kernel::{self, Name};
use crate::vm::Guest;

/// One for each processor.
pub(super) const KERNELS: [Name; 2] = [Name::Debian612, Name::Debian612Arm64];

/// The steps.
const SCRIPT: &str = include_str!("trial.sh");
/// A processor that is emulated on another kind takes minutes to start.
const START: &str = "\"$0\" --version && exec \"$0\" doctor";
/// Emulated, the longer one takes two minutes.
const LIMIT: Duration = Duration::from_mins(10);

/// Tries what is in `folder`, made of these prefixes.
pub(super) fn run(folder: &Path, prefixes: &[(Architecture, Prefix)]) -> Result<()> {
    for (architecture, prefix) in prefixes {
        if architecture.is_host() {
            let name = names::tarball(*architecture) + ".tar.gz";
            let (deb, image) = (names::deb(*architecture), names::image());
            let tag = format!("localhost/injector:{}", names::VERSION);
            let folder = folder.display().to_string();
            guest(*architecture, &["sh", "-c", SCRIPT, "trial", &folder, &name, &deb, &image, &tag])?;
        } else {
            let program = prefix.folder.join("bin/injector").display().to_string();
            guest(*architecture, &["sh", "-c", START, &program])?;
        }
    }
    Ok(())
}

fn guest(architecture: Architecture, command: &[&str]) -> Result<()> {
    let Some(kernel) = KERNELS.into_iter().find(|kernel| kernel.architecture() == architecture) else {
        bail!("no kernel for {} is in the matrix", architecture.debian());
    };
    let mut guest = Guest::new(kernel::ready(kernel)?);
    "dist".clone_into(&mut guest.name);
    guest.limit = LIMIT;
    let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
    let outcome = guest.run(&command)?;
    if !outcome.good() {
        let console = checkout::shown(&outcome.folder.join("console.log"));
        let (kind, ending) = (architecture.debian(), outcome.ending);
        bail!("what was made for {kind} did not pass its trial ({ending:?}); the console: {console}");
    }
    Ok(())
}
