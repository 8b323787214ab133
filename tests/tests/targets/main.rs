//! Whose calls fail: everybody who belongs to the target, however they came to it and whenever; nobody
//! else.

mod cgroups;
mod processes;
mod returns;

use std::time::Duration;

use anyhow::Result;
use injector_tests::{
    guest::Kernel,
    victim::{Operation, usual},
};

const SLACK: Duration = Duration::from_secs(2);
const EIO: i64 = -(libc::EIO as i64);

fn operation() -> Result<Operation> {
    Ok(usual(Kernel::running()?))
}
