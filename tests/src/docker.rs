//! Containers of Docker, as far as its state on disk and their cgroups tell.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

use crate::cgroup::MOUNT;

const STATE: &str = "/var/lib/docker";

/// A container in which nobody lives. It goes when this is dropped.
#[derive(Debug)]
pub struct Docker {
    folder: PathBuf,
    cgroup: PathBuf,
}

impl Docker {
    /// One of that name and id.
    pub fn of(name: &str, id: &str) -> Result<Self> {
        let folder = Path::new(STATE).join("containers").join(id);
        fs::create_dir_all(&folder)?;
        let cgroup = Path::new(MOUNT).join("docker").join(id);
        let container = Self { folder, cgroup };
        let config = format!(r#"{{"ID":"{id}","Name":"/{name}","Config":{{"Labels":{{}}}}}}"#);
        fs::write(container.config(), config)?;
        fs::create_dir_all(&container.cgroup)?;
        Ok(container)
    }

    /// The file that has its name.
    pub fn config(&self) -> PathBuf {
        self.folder.join("config.v2.json")
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.cgroup);
        let _ = fs::remove_dir_all(&self.folder);
        // With the last one.
        for folder in [self.cgroup.parent(), self.folder.parent(), Some(Path::new(STATE))] {
            let _ = folder.map(fs::remove_dir);
        }
    }
}
