//! A thread that stands inside the namespaces, and makes sockets and starts commands there for whoever asks.
//!
//! A socket stays in the namespace that it was made in, whoever uses it. A command inherits namespaces and folder from
//! the thread, and is killed by the kernel when the thread ends: nothing is left when its load or probe is gone.

use std::{io, sync::mpsc, thread};

use nix::{
    sched::{CloneFlags, setns, unshare},
    unistd::chdir,
};
use tokio::{runtime::Handle, sync::oneshot};

use crate::experiment::namespaces::Namespaces;

type Job = Box<dyn FnOnce() + Send>;

/// The inside of the namespaces. Clones are the same thread, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Place {
    jobs: mpsc::Sender<Job>,
    namespaces: Namespaces,
}

/// It cannot be gone inside.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {source}")]
pub struct PlaceError {
    what: &'static str,
    source: io::Error,
}

impl PlaceError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self.source.kind() {
            io::ErrorKind::PermissionDenied => "run it as root, who may enter namespaces",
            io::ErrorKind::NotFound => "the folder of the experiment's file has to be there while it runs",
            _ => "see how many threads there may be: `ulimit -u`, pids.max of the cgroup",
        }
    }
}

impl Namespaces {
    /// Starts a thread that stands inside.
    ///
    /// # Errors
    /// [`PlaceError`]: no thread can be started, a namespace cannot be entered, the folder is gone, or there is no
    /// runtime of tokio.
    pub fn enter(&self) -> Result<Place, PlaceError> {
        let runtime = Handle::try_current()
            .map_err(|error| PlaceError { what: "use tokio here", source: io::Error::other(error) })?;
        let (jobs, queue) = mpsc::channel::<Job>();
        let (tell, entered) = mpsc::sync_channel(1);
        let namespaces = self.clone();
        let inside = move || {
            let result = go_inside(&namespaces);
            let stay = result.is_ok();
            // Whoever asked waits for it.
            _ = tell.send(result);
            let _runtime = runtime.enter();
            while let (true, Ok(job)) = (stay, queue.recv()) {
                job();
            }
        };
        let started = thread::Builder::new().name("injector-place".into()).spawn(inside);
        started.map_err(|source| PlaceError { what: "start a thread", source })?;
        let gone = |_| PlaceError { what: "start a thread", source: io::ErrorKind::BrokenPipe.into() };
        entered.recv().map_err(gone)??;
        Ok(Place { jobs, namespaces: self.clone() })
    }
}

fn go_inside(namespaces: &Namespaces) -> Result<(), PlaceError> {
    let failed = |what| move |error: nix::Error| PlaceError { what, source: error.into() };
    // Only so may a thread of several have another root or folder than the others (setns(2)).
    unshare(CloneFlags::CLONE_FS).map_err(failed("have a folder of its own"))?;
    if let Some(network) = &namespaces.network {
        setns(network, CloneFlags::CLONE_NEWNET).map_err(failed("enter the network namespace"))?;
    }
    if let Some(mounts) = &namespaces.mounts {
        setns(mounts, CloneFlags::CLONE_NEWNS).map_err(failed("enter the mount namespace"))?;
    }
    if namespaces.folder.as_os_str().is_empty() {
        return Ok(());
    }
    chdir(&namespaces.folder).map_err(failed("go to the folder of the experiment"))
}

impl Place {
    /// Does something short inside, and gives its result.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (tell, result) = oneshot::channel();
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.jobs.send(Box::new(move || _ = tell.send(job()))).map_err(|_| gone())?;
        result.await.map_err(|_| gone())?
    }

    /// Where it is.
    pub fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }
}

impl Place {
    /// The content of a file as it is seen inside.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn read(&self, path: &'static str) -> io::Result<Vec<u8>> {
        self.run(move || std::fs::read(path)).await
    }
}
