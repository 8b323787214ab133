//! `injector experiment check`: what a file means, and whether it can be run here. Nothing is started or broken.

use clap::Args;
use injector::{
    experiment::check::kernel::{self, Refused},
    printable::Printable,
};

use crate::cli::{
    exit::{Code, Failure},
    experiment::{input::Input, summary::Summary},
    output,
};

/// Say what a file means, and whether it can be run here
///
/// All that is wrong is told with its line: keys, rules, conditions, names, windows with too few samples, times that do not
/// fit. Then each fault is planned as for --dry-run: mechanisms of this kernel are tried, and nothing stays attached, which
/// needs root. Exit code 2 if the file is wrong, 3 if this kernel cannot have a fault, 4 if a right is missing.
#[derive(Args, Debug)]
pub(super) struct Check {
    #[command(flatten)]
    input: Input,
    /// Look at the file alone, not at this kernel: without root, and on any machine
    #[arg(long)]
    file_only: bool,
    /// Print what was read as JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self) -> Result<Code, Failure> {
        let read = self.input.read()?;
        let planned =
            if self.file_only { kernel::Planned::default() } else { kernel::plan(&read.experiment) };
        let summary = Summary::of(&read.experiment, &read.warnings, &planned.notes);
        if self.json {
            output::print_json(&summary)?;
        } else {
            output::out(&summary.text())?;
        }
        for warning in &read.warnings {
            output::note(format_args!(
                "warning: {}; {}",
                Printable(warning.message()),
                Printable(warning.hint())
            ));
        }
        for (fault, note) in &planned.notes {
            output::note(format_args!("note: {fault}: {}", output::shortened(note)));
        }
        possible(planned.refused).map(|()| Code::OK)
    }
}

/// Whether this kernel can have all faults. All that it cannot have but the first are told here.
pub(super) fn possible(refused: Vec<Refused>) -> Result<(), Failure> {
    let mut refused = refused.into_iter().map(refusal);
    let Some(first) = refused.next() else { return Ok(()) };
    refused.for_each(|failure| output::failure(&failure));
    Err(first)
}

/// As it is said elsewhere, with the fault's name in front.
fn refusal(Refused { fault, place, error }: Refused) -> Failure {
    let Failure { message, hint, code } = Failure::from(error);
    Failure { message: format!("the fault `{fault}` (line {}): {message}", place.line), hint, code }
}
