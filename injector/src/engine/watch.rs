//! Waking up when a cgroup comes or goes. Directories of cgroups are made and removed by way of the VFS only, which
//! tells inotify (fs/namei.c, `vfs_mkdir` and `vfs_rmdir`); others on the machine pay nothing for it.

use std::{
    fs,
    future::pending,
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use nix::{
    errno::Errno,
    sys::inotify::{AddWatchFlags, InitFlags, Inotify},
};
use tokio::io::unix::AsyncFd;

use crate::readable::readable;

/// An inotify instance that reports when cgroups come and go.
#[derive(Debug)]
pub(super) struct Watch(Inotify);

impl Watch {
    /// `None` where this user has too many already: then the targets are looked at twice a second, as all else.
    pub(super) fn begin() -> Option<Self> {
        let watch = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK);
        watch.inspect_err(|error| tracing::warn!(%error, "cannot watch cgroups come and go")).ok().map(Self)
    }

    /// Readable when something has happened. To be called in a tokio runtime.
    pub(super) fn news(&self) -> io::Result<AsyncFd<OwnedFd>> {
        self.0.as_fd().try_clone_to_owned().and_then(readable)
    }

    /// Watches the directory that `path` is in, or will be: of those above it, the nearest that exists.
    pub(super) fn watch(&self, path: &Path) {
        let flags = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_DELETE | AddWatchFlags::IN_ONLYDIR;
        let mut child = path;
        while let Some(parent) = child.parent() {
            match self.0.add_watch(parent, flags) {
                // Made before it was watched: the one below is to be watched instead.
                Ok(_) if child != path && child.exists() => return self.watch(path),
                Ok(_) => return,
                Err(Errno::ENOENT) => child = parent,
                Err(error) => {
                    tracing::warn!(%error, path = %parent.display(), "cannot watch cgroups come and go");
                    return;
                }
            }
        }
    }
}

impl Watch {
    /// Watches the directories beside the one that `path` is in as well, where that is gone: a pod that comes again has
    /// another one, and its containers come below that.
    pub(super) fn watch_beside(&self, path: &Path) {
        let flags = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_DELETE | AddWatchFlags::IN_ONLYDIR;
        let Some(parent) = path.parent().filter(|parent| !parent.exists()) else { return };
        let Some(above) = parent.ancestors().find(|above| above.exists()) else { return };
        for entry in fs::read_dir(above).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let _ = self.0.add_watch(&entry.path(), flags);
            }
        }
    }
}

/// Waits until something has happened; never ends where nothing is watched. Can be dropped and called again.
pub(super) async fn moved(news: Option<&AsyncFd<OwnedFd>>) -> io::Result<()> {
    let Some(news) = news else { return pending().await };
    let mut ready = news.readable().await?;
    // What has happened is looked up, so the events themselves do not matter.
    let mut events = [0; 4096];
    while nix::unistd::read(news.get_ref(), &mut events).is_ok_and(|bytes| bytes > 0) {}
    ready.clear_ready();
    Ok(())
}
