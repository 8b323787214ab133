//! The file of the policy. It is always the same one: an option or a variable that names another would be a way around
//! it. Nobody but root may be able to change it.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::policy::{FILE, FileProblem, Policy, PolicyError};

/// The write bits of the group and of others (inode(7)).
const WRITABLE: u32 = 0o022;

impl Policy {
    /// Reads [`FILE`]; `None` if there is none.
    ///
    /// # Errors
    /// [`PolicyError::File`]: it cannot be read, others than root may change it, or it is no policy.
    pub fn read() -> Result<Option<Self>, PolicyError> {
        Self::read_at(Path::new(FILE), 0)
    }

    fn read_at(path: &Path, owner: u32) -> Result<Option<Self>, PolicyError> {
        let read = |source| FileProblem::Read { source };
        let metadata = match fs::metadata(path) {
            // A link that leads nowhere is a policy that was meant to be there.
            Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
                return Ok(None);
            }
            found => found.map_err(read)?,
        };
        if !metadata.is_file() {
            return Err(FileProblem::NoFile.into());
        }
        // Who may write to the folder may put another file there.
        let folder = path.parent().unwrap_or(Path::new("/"));
        let above = fs::metadata(folder).map_err(read)?;
        for (path, metadata) in [(path, &metadata), (folder, &above)] {
            let (user, mode) = (metadata.uid(), metadata.mode() & 0o7777);
            if user != owner {
                return Err(FileProblem::Owner { path: PathBuf::from(path), user }.into());
            }
            if mode & WRITABLE != 0 {
                return Err(FileProblem::Writable { path: PathBuf::from(path), mode }.into());
            }
        }
        Self::parse(&fs::read_to_string(path).map_err(read)?).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn only_a_file_that_nobody_else_can_change_is_a_policy() {
        let folder = tempfile::tempdir().unwrap();
        let own = fs::metadata(folder.path()).unwrap().uid();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        set(folder.path(), 0o755);
        let path = folder.path().join("policy.toml");
        let read = || Policy::read_at(&path, own);
        let problem = || match read() {
            Err(PolicyError::File(problem)) => problem,
            other => panic!("{other:?}"),
        };
        assert!(matches!(read(), Ok(None)));
        symlink("nowhere", &path).unwrap();
        assert!(matches!(problem(), FileProblem::Read { .. }));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(problem(), FileProblem::NoFile));
        fs::remove_dir(&path).unwrap();
        fs::write(&path, "layers = [\"io\"]").unwrap();
        set(&path, 0o644);
        assert_eq!(read().unwrap().and_then(|policy| policy.layers).map(|layers| layers.len()), Some(1));
        assert!(matches!(Policy::read_at(&path, own + 1), Err(PolicyError::File(FileProblem::Owner { .. }))));
        for mode in [0o664, 0o646] {
            set(&path, mode);
            assert!(matches!(problem(), FileProblem::Writable { mode: told, .. } if told == mode));
        }
        set(&path, 0o600);
        set(folder.path(), 0o777);
        assert!(matches!(problem(), FileProblem::Writable { path, .. } if path == folder.path()));
        set(folder.path(), 0o700);
        assert!(matches!(read(), Ok(Some(_))));
    }
}
