//! Files that the user names for what is to be written: made at the beginning, so that a mistake is told before anything
//! is attached, or only looked at for a dry run, which changes nothing.

use std::{
    fs::{self, File},
    io,
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use injector::printable::Printable;
use nix::{
    errno::Errno,
    unistd::{AccessFlags, eaccess},
};

use crate::cli::exit::Failure;

/// Makes the file for `what`, such as "log", or empties it.
pub(super) fn create(what: &str, path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|error| refused(what, path, &error))
}

/// Could the file be made? Where there is none to make it is well.
pub(super) fn check(what: &str, path: Option<&Path>) -> Result<(), Failure> {
    path.map_or(Ok(()), |path| writable(path).map_err(|error| refused(what, path, &error)))
}

fn refused(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::usage(
        format!("cannot write the {what} {}: {error}", Printable(path.display())),
        "name a file in a directory that exists and can be written",
    )
}

/// May this be written, or made? It is not opened: that would empty a file, and do whatever a device does.
fn writable(path: &Path) -> io::Result<()> {
    let folder = path.as_os_str().as_bytes().ends_with(b"/") || path.is_dir();
    if folder {
        return Err(Errno::EISDIR.into());
    }
    let may = |path: &Path, what| Ok(eaccess(path, what)?);
    match fs::metadata(path) {
        Ok(_) => may(path, AccessFlags::W_OK),
        // A link to nothing yet: what it names is made.
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_symlink() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().ok_or(error)?;
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            may(parent, AccessFlags::W_OK | AccessFlags::X_OK)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_says_what_a_real_one_would() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "kept").unwrap();
        for (path, good) in [
            (at("new"), true),
            (at("old"), true),
            ("new".into(), true),
            ("/dev/null".into(), true),
            ("/".into(), false),
            (folder.path().into(), false),
            (at("new/"), false),
            (at("no/new"), false),
            (at("old/new"), false),
            ("".into(), false),
        ] {
            assert_eq!(check("log", Some(&path)).is_ok(), good, "{}", path.display());
        }
        assert!(!at("new").exists() && !Path::new("new").exists());
        assert_eq!(fs::read_to_string(at("old")).unwrap(), "kept");
        check("log", None).unwrap();
    }
}
