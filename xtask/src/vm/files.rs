//! What a guest sees of the host's files. One of the host's own kind sees all of them; one of another kind sees a
//! Debian for its processor, and in it the folders that were made for it, at the same paths.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::root;
use crate::architecture::Architecture;
use crate::child::{self, quoted};

/// Places where a guest has fresh folders.
const FRESH: [&str; 4] = ["/tmp", "/run", "/dev/shm", "/mnt/injector"];

/// What a guest sees of the host's files: its root and the folders that it shares with the host.
#[derive(Debug)]
pub(super) struct Files {
    /// What the guest has as `/`.
    pub(super) root: PathBuf,
    /// A shell and all that a start needs, in one file, for the guest's processor.
    pub(super) busybox: PathBuf,
    /// Folders of the host in a root that is not the host's, by the tags of their file systems.
    pub(super) places: Vec<(String, PathBuf)>,
    /// Folders in a root that is the host's where the guest has fresh ones: they are put back.
    keep: Vec<PathBuf>,
}

impl Files {
    /// For a guest that is to see `wanted`.
    pub(super) fn of(architecture: Architecture, wanted: &[PathBuf]) -> Result<Self> {
        let wanted =
            outermost(wanted.iter().map(|path| path.canonicalize().unwrap_or_else(|_| path.clone())));
        if architecture.is_host() {
            let busybox = child::on_path("busybox");
            let busybox = busybox.context("there is no busybox (Debian package busybox-static)")?;
            let keep = wanted.into_iter().filter(|path| is_fresh(path)).collect();
            return Ok(Self { root: "/".into(), busybox, places: Vec::new(), keep });
        }
        let root = root::ready(architecture)?;
        let busybox = root.join("usr/bin/busybox");
        let numbered = wanted.into_iter().filter(|path| path.parent().is_some()).enumerate();
        let places = numbered.map(|(number, path)| (format!("place{number}"), path)).collect();
        Ok(Self { root, busybox, places, keep: Vec::new() })
    }

    /// Variables for guest.sh.
    pub(super) fn settings(&self) -> String {
        let keep: Vec<String> = self.keep.iter().map(|path| path.display().to_string()).collect();
        let places: Vec<String> =
            self.places.iter().map(|(tag, path)| format!("{tag} {}", path.display())).collect();
        format!("keep={}\nplaces={}\n", quoted(&keep.join("\n")), quoted(&places.join("\n")))
    }
}

fn is_fresh(path: &Path) -> bool {
    FRESH.iter().any(|folder| path.starts_with(folder))
}

/// Those that are in none of the others, each once.
fn outermost(paths: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = paths.collect();
    // Shorter ones come first, so that what contains a folder is there before it.
    paths.sort_by_key(|path| path.components().count());
    let mut kept: Vec<PathBuf> = Vec::new();
    for path in paths {
        if !kept.iter().any(|other| path.starts_with(other)) {
            kept.push(path);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::outermost;

    #[test]
    fn folders_within_others_are_not_shared_twice() {
        let paths = ["/a/b/c", "/a/b", "/a/bc", "/a/b"].map(Into::into);
        assert_eq!(outermost(paths.into_iter()), ["/a/b", "/a/bc"].map(std::path::PathBuf::from));
    }
}
