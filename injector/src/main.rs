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
    cli::main()
}
