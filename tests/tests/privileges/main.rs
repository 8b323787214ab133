//! Capabilities: what a plan keeps when its rules are in place is what the documentation says, in every thread and every
//! helper, and with that it does all that it has to until its end.

mod kept;
mod works;

use std::time::Duration;

use anyhow::Result;
use injector_tests::{
    guest::Kernel,
    injector::Injector,
    victim::{Operation, usual},
};

/// For a victim to be asked and to answer, on an emulated machine that others use as well.
const SLACK: Duration = Duration::from_secs(2);

fn operation() -> Result<Operation> {
    Ok(usual(Kernel::running()?))
}

/// `attach` with a rule on the calls of the usual victim.
fn failing() -> Result<Injector> {
    Injector::new(["attach", "--fixed", "-e", &format!("inject={}:error=EIO", operation()?.name)])
}
