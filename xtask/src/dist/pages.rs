//! Man pages and completions, which the program itself writes.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::child;

/// For each shell, where it looks below a prefix.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/injector"),
    ("fish", "share/fish/vendor_completions.d/injector.fish"),
    ("zsh", "share/zsh/site-functions/_injector"),
];

/// Has `program` write them below `prefix`. The pages are compressed, as distributions have them.
pub(super) fn write(program: &Path, prefix: &Path) -> Result<()> {
    let said = |words: &[&str]| child::output(Command::new(program).args(words));
    for (shell, path) in COMPLETIONS {
        file(&prefix.join(path), &said(&["completions", shell])?)?;
    }
    let pages = prefix.join("share/man");
    child::run(Command::new(program).args(["man", "--into"]).arg(&pages))?;
    child::run(Command::new("gzip").args(["-9", "--no-name", "--recursive"]).arg(&pages))
}

fn file(path: &Path, text: &str) -> Result<()> {
    let written = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, format!("{text}\n"))
    };
    written().with_context(|| format!("cannot write {}", path.display()))
}
