//! `cargo xtask bench`: figures, never a verdict. What they come to is in docs/performance.md
//! and docs/delay.md.

mod delay;
mod guest;
mod meter;
mod scenario;
mod stage;
mod table;
mod throughput;
mod unaffected;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Measure what the injector costs
#[derive(Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Delay(delay::Delay),
    Unaffected(unaffected::Unaffected),
    Throughput(throughput::Throughput),
    #[command(hide = true)]
    Stage(stage::Stage),
    #[command(hide = true)]
    Wire(throughput::Wire),
    #[command(hide = true)]
    Send(throughput::Send),
}

impl Bench {
    pub(crate) fn run(self) -> Result<()> {
        match self.what {
            What::Delay(verb) => verb.run(),
            What::Unaffected(verb) => verb.run(),
            What::Throughput(verb) => verb.run(),
            What::Wire(verb) => verb.run(),
            What::Send(verb) => verb.run(),
            What::Stage(verb) => verb.run(),
        }
    }
}
