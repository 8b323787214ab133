//! Is the BPF object as new as the sources that it is made of? Asked by the build script, and by `cargo xtask build`.

use std::{fs, io, path::Path, time::SystemTime};

/// What the object is made of, from the workspace's root.
pub(crate) const SOURCES: [&str; 2] = ["injector-ebpf/src", "injector-common/src"];

/// Is `object` there, and no source in the workspace at `root` newer? Cargo compares the same times.
pub(crate) fn is_current(object: &Path, root: &Path) -> io::Result<bool> {
    let Ok(made) = fs::metadata(object).and_then(|metadata| metadata.modified()) else { return Ok(false) };
    for folder in SOURCES {
        if newest(&root.join(folder))? > made {
            return Ok(false);
        }
    }
    Ok(true)
}

/// When anything at `path` was last changed. A folder changes with a name in it.
fn newest(path: &Path) -> io::Result<SystemTime> {
    let metadata = fs::metadata(path)?;
    let mut newest = metadata.modified()?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            newest = newest.max(self::newest(&entry?.path())?);
        }
    }
    Ok(newest)
}
