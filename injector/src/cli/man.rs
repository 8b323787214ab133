//! `injector man`: the manual pages.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Args, builder::PossibleValue};

use crate::cli::{
    command,
    exit::{Code, Failure},
    help::SUBCOMMANDS,
    manual::page::{self, Page, RULES},
    output,
};

/// Print a manual page, or write all of them
#[derive(Args, Debug)]
pub(super) struct Man {
    /// The subcommand, or `rules` for injector-rules(7); the program itself if none is given
    #[arg(value_name = "PAGE", value_parser = pages())]
    page: Option<String>,
    /// Write all pages into the folders man1 and man7 of this one, which are made if they are not there
    #[arg(long, value_name = "FOLDER", conflicts_with = "page", value_hint = clap::ValueHint::DirPath)]
    into: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self) -> Result<Code, Failure> {
        let program = command();
        if let Some(folder) = &self.into {
            for page in page::all(&program).context("cannot write the manual pages")? {
                write(folder, &page)?;
            }
            return Ok(Code::OK);
        }
        let (_, text) = match self.page.as_deref() {
            Some(RULES) => page::rules(&program),
            name => page::of(&program, name).context("cannot write the manual page")?,
        };
        output::out(&String::from_utf8_lossy(&text)).map(|()| Code::OK)
    }
}

/// Which pages there are besides that of the program.
fn pages() -> Vec<PossibleValue> {
    let rules = PossibleValue::new(RULES).help("The language of rules");
    SUBCOMMANDS.map(PossibleValue::new).into_iter().chain([rules]).collect()
}

/// Puts a page into the folder of its section.
fn write(folder: &Path, (name, text): &Page) -> Result<(), Failure> {
    let section = name.rsplit('.').next().unwrap_or_default();
    let folder = folder.join(format!("man{section}"));
    let path = folder.join(name);
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, text));
    written.map_err(|error| {
        let hint = "name a folder in which you may write, such as /usr/local/share/man as root";
        Failure::other(format!("cannot write {}: {error}", path.display()), hint)
    })
}
