//! Tar archives that are the same for the same files: in order, root's, with the commit's time.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::prefix::Prefix;
use crate::child;
use crate::commit::Commit;

/// The tarball: one folder called `name`, whose `bin` and `share` may be copied to /usr/local.
pub(super) fn release(prefix: &Prefix, name: &str, commit: &Commit, file: &Path) -> Result<()> {
    let mut tar = pack(&prefix.folder, name, commit);
    // Gzip has a time and a name of its own.
    tar.args(["--use-compress-program", "gzip -9 --no-name", "--file"]).arg(file);
    child::run(tar.arg("."))
}

/// GNU tar on what is in `folder`, whose place `named` takes in the archive; which files and into what is to be added.
pub(super) fn pack(folder: &Path, named: &str, commit: &Commit) -> Command {
    let mut tar = Command::new("tar");
    tar.args(["--create", "--format=gnu", "--sort=name", "--owner=root:0", "--group=root:0"]);
    tar.args(["--numeric-owner", "--mode=u=rwX,go=rX"]);
    tar.arg(format!("--mtime=@{}", commit.time)).arg(format!("--transform=s,^\\.,{named},"));
    tar.arg("--directory").arg(folder);
    tar
}
