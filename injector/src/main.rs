//! The `injector` program: a command line in front of the library.

mod cli;
#[cfg(test)]
#[path = "../tests/documentation/commands.rs"]
mod commands;
#[cfg(test)]
#[path = "../tests/documentation/documents.rs"]
mod documents;

use std::process::ExitCode;

fn main() -> ExitCode {
    // The process of a plan of an experiment is this program once more.
    injector::child::serve();
    cli::main()
}
