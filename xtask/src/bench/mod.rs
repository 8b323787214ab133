//! `cargo xtask bench`: figures, never a verdict. What they come to is in docs/performance.md.

mod meter;
mod scenario;
mod stage;
mod table;
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
    Unaffected(unaffected::Unaffected),
    #[command(hide = true)]
    Stage(stage::Stage),
}

impl Bench {
    pub(crate) fn run(self) -> Result<()> {
        match self.what {
            What::Unaffected(verb) => verb.run(),
            What::Stage(verb) => verb.run(),
        }
    }
}
