//! Patterns of cgroups, in the words that `path=` has for files.

use std::{fmt, os::unix::ffi::OsStrExt as _, path::Path};

use injector_common::glob::{self, Glob};
use serde::{Deserialize, Serialize};

use crate::spec::operation::OperationProblem;

/// Which cgroups a pattern means, by their names as `/proc/PID/cgroup` prints them. One without a leading `/` may begin at
/// any part of the name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CgroupGlob {
    text: String,
    glob: Box<Glob>,
}

impl CgroupGlob {
    /// Does it mean the cgroup of this name?
    pub fn means(&self, name: &Path) -> bool {
        self.glob.matches(name.as_os_str().as_bytes())
    }

    /// Does it mean the cgroup of this name, or one above it?
    pub fn covers(&self, name: &Path) -> bool {
        name.ancestors().any(|above| self.means(above))
    }
}

impl TryFrom<String> for CgroupGlob {
    type Error = OperationProblem;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let glob = glob::compile(&[text.as_bytes()]).map_err(OperationProblem::Path)?;
        Ok(Self { text, glob: Box::new(glob) })
    }
}

impl From<CgroupGlob> for String {
    fn from(glob: CgroupGlob) -> Self {
        glob.text
    }
}

impl fmt::Display for CgroupGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for CgroupGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_and_what_is_below_it() {
        for (pattern, name, means, covers) in [
            ("/a/b", "/a/b", true, true),
            ("/a/b", "/a/b/c", false, true),
            ("/a/b", "/a", false, false),
            ("/a/*", "/a/b/c", false, true),
            ("/a/**", "/a/b/c", true, true),
            ("web-*.service", "/system.slice/web-1.service", true, true),
            ("web-*.service", "/system.slice/db.service", false, false),
            ("/", "/a", false, true),
        ] {
            let glob = CgroupGlob::try_from(pattern.to_owned()).unwrap();
            assert_eq!(glob.means(Path::new(name)), means, "{pattern} {name}");
            assert_eq!(glob.covers(Path::new(name)), covers, "{pattern} {name}");
        }
        assert!(CgroupGlob::try_from("/a/[b".to_owned()).is_err());
    }
}
