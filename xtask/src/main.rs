//! `cargo xtask VERB`: everything that a developer of injector does with the checkout. One file a
//! verb; a verb is a clap `Args` struct with a `run` method, listed once in [`Verb`] and once in
//! `main`. Each verb gets by itself what it needs (see `setup`), so none has to be called first.

mod apt;
mod architecture;
mod bench;
mod build;
mod cargo_tool;
mod checkout;
mod child;
mod commit;
mod demo;
mod dist;
mod fuzz;
mod kernel;
mod package;
mod packages;
mod rooms;
mod setup;
mod syscalls;
mod test;
mod toolchain;
mod vm;
mod waiting;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Developer verbs of injector.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Setup(setup::Setup),
    Syscalls(syscalls::Syscalls),
    Build(build::Build),
    Package(package::Package),
    Dist(dist::Dist),
    Kernel(kernel::Verb),
    Vm(vm::Verb),
    Demo(demo::Demo),
    Test(test::Test),
    Fuzz(fuzz::Fuzz),
    Bench(bench::Bench),
    Rooms(rooms::Rooms),
}

fn main() -> ExitCode {
    let outcome: Result<ExitCode> = match Cli::parse().verb {
        Verb::Setup(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Syscalls(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Build(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Package(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Dist(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Kernel(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Vm(verb) => verb.run(),
        Verb::Demo(verb) => verb.run(),
        Verb::Test(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Fuzz(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Bench(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Rooms(verb) => verb.run().map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}
