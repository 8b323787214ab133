//! `injector experiment schema`: what editors and other programs should know of the files.

use clap::Args;
use injector::experiment::file;

use crate::cli::{
    exit::{Code, Failure},
    output,
};

/// Print the JSON Schema of the files (draft 2020-12)
#[derive(Args, Debug)]
pub(super) struct Schema {}

impl Schema {
    #[expect(clippy::unused_self, reason = "as all subcommands")]
    pub(super) fn run(self) -> Result<Code, Failure> {
        output::print_json(&file::schema()).map(|()| Code::OK)
    }
}
