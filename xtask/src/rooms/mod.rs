//! `cargo xtask rooms`: which part of a crate imports which, read from the code: a picture for ARCHITECTURE.md, and the
//! check that no file imports one that imports it, on whatever way round, and that no crate declares a dependency in vain.

mod dependencies;
mod graph;
mod imports;

use anyhow::{Result, bail};
use clap::Args;

use self::graph::Graph;

/// Print which rooms of the code import which, as a diagram in Mermaid's words
///
/// A room is a file or a folder at the top of a crate. It is what ARCHITECTURE.md shows.
#[derive(Args)]
pub(crate) struct Rooms {}

/// The crates whose inside is looked at; the last one has no rooms.
const CRATES: [&str; 3] = ["injector", "injector-ebpf", "injector-common"];

impl Rooms {
    #[expect(clippy::unused_self, reason = "a verb, as all the others")]
    pub(crate) fn run(self) -> Result<()> {
        println!("{}", picture()?);
        check()?;
        check_dependencies()
    }
}

/// No files import each other, on whatever way round.
fn check() -> Result<()> {
    for name in CRATES {
        if let Some(circle) = Graph::of(name)?.circles().first() {
            bail!("these files of {name} import each other: {}", circle.join(", "));
        }
    }
    Ok(())
}

/// No crate declares what it does not use.
fn check_dependencies() -> Result<()> {
    let unused = dependencies::unused()?;
    if !unused.is_empty() {
        bail!("declared and used nowhere: {}", unused.join(", "));
    }
    Ok(())
}

/// A diagram of the rooms of the library and of the BPF programs: what another room imports as well on the way is not
/// drawn twice.
fn picture() -> Result<String> {
    let mut lines = vec!["```mermaid".to_owned(), "flowchart TD".to_owned()];
    for name in &CRATES[..2] {
        lines.push(format!("    subgraph {name}"));
        let arrows = graph::without_shortcuts(&Graph::of(name)?.rooms());
        let arrow =
            |(from, to): &(String, String)| format!("        {name}.{from}[{from}] --> {name}.{to}[{to}]");
        lines.extend(arrows.iter().map(arrow));
        lines.push("    end".to_owned());
    }
    lines.push("```".to_owned());
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_imports_one_that_imports_it() {
        check().unwrap();
    }

    #[test]
    fn no_crate_declares_what_it_does_not_use() {
        check_dependencies().unwrap();
    }

    #[test]
    fn a_plan_knows_nothing_of_the_kernel() {
        let rooms = Graph::of("injector").unwrap().rooms();
        let has = |from: &str, to: &str| rooms.contains(&(from.to_owned(), to.to_owned()));
        assert!(has("kernel", "plan") && !has("plan", "kernel"), "{rooms:?}");
    }

    #[test]
    fn the_picture_in_architecture_md_is_this() {
        let document = std::fs::read_to_string(crate::checkout::root().join("ARCHITECTURE.md")).unwrap();
        assert!(document.contains(&picture().unwrap()), "write into it what `cargo xtask rooms` prints");
    }
}
