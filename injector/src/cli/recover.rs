//! `injector recover`: takes away what injectors that were killed could not. Every start does so by itself; this
//! does nothing else, and says what it found.

use std::path::PathBuf;

use clap::Args;
use injector::{
    engine,
    experiment::warden::{self, RUNS},
};

use crate::cli::{
    exit::{Code, Failure},
    output,
};

/// Take away what injectors that were killed have left.
///
/// That is cgroups of commands that have ended, pauses of processes whose injector and warden were killed and, before Linux
/// 6.6, clsact filters. run, attach, ps and stop do so, too. Of experiments whose runner and warden were killed, it is what
/// their journals say: labs that still run, what is frozen or limited. Nothing that a live injector needs is touched, and a
/// second time there is nothing left to do. Exit code 6 if something could not be looked at or taken away, 4 if that is for want of a
/// right.
#[derive(Args, Debug)]
pub(super) struct Recover {
    /// The folder that has the folders of experiments in it, or one of those
    #[arg(value_name = "FOLDER", default_value = RUNS)]
    runs: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Recover {
    pub(super) fn run(self) -> Result<Code, Failure> {
        let mut swept = engine::sweep();
        let recovered = warden::recover(&self.runs);
        swept.removed.extend(recovered.undone);
        swept.failed.extend(recovered.failed);
        swept.forbidden |= recovered.forbidden;
        if self.json {
            output::print_json(&swept)?;
        } else if swept.removed.is_empty() && swept.failed.is_empty() {
            output::note("nothing is left of injectors that have ended");
        } else {
            swept.removed.iter().for_each(|removed| output::note(format_args!("removed {removed}")));
            swept.failed.iter().for_each(|failed| output::note(format_args!("error: {failed}")));
        }
        Ok(if swept.failed.is_empty() {
            Code::OK
        } else if swept.forbidden {
            Code::PERMISSION
        } else {
            Code::UNCLEAN
        })
    }
}
