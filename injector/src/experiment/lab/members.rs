//! Who is in a cgroup, and telling all of them to end.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::{Instant, sleep};

use crate::{experiment::warden::write, target::cgroup::directories_below};

/// How often it is looked whether all have ended.
const LOOK: Duration = Duration::from_millis(2);
/// How long killed processes may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Numbers of the processes in a cgroup and below.
pub(super) fn pids(cgroup: &Path) -> BTreeSet<u32> {
    let below = directories_below(cgroup).unwrap_or_default();
    let members = |path: PathBuf| fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    let lists: Vec<_> = below.into_iter().chain([cgroup.to_path_buf()]).map(members).collect();
    lists
        .iter()
        .flat_map(|list| list.lines())
        .filter_map(|line| line.parse().ok())
        .filter(|&pid| pid != 0)
        .collect()
}

/// Has all in it end: by SIGTERM, and after `patience` by force. Whether all have.
pub(super) async fn end(cgroup: &Path, patience: Duration) -> bool {
    tell(cgroup, Signal::TERM);
    if emptied(cgroup, patience).await {
        return true;
    }
    // Whoever is frozen, too.
    let _ = write(&cgroup.join("cgroup.kill"), "1");
    emptied(cgroup, PATIENCE).await
}

/// Sends a signal to all. A number may have gone to somebody else: who is in the list before and after he was opened is
/// the same.
fn tell(cgroup: &Path, signal: Signal) {
    let open = |pid: u32| -> Option<_> {
        let number = Pid::from_raw(i32::try_from(pid).ok()?)?;
        Some((pid, pidfd_open(number, PidfdFlags::empty()).ok()?))
    };
    let opened: Vec<_> = pids(cgroup).into_iter().filter_map(open).collect();
    let still = pids(cgroup);
    for (_, pidfd) in opened.iter().filter(|(pid, _)| still.contains(pid)) {
        // It may end by itself meanwhile.
        let _ = pidfd_send_signal(pidfd, signal);
    }
}

async fn emptied(cgroup: &Path, patience: Duration) -> bool {
    let end = Instant::now() + patience;
    while is_populated(cgroup).unwrap_or(false) {
        if Instant::now() >= end {
            return false;
        }
        sleep(LOOK).await;
    }
    true
}

fn is_populated(cgroup: &Path) -> io::Result<bool> {
    Ok(fs::read_to_string(cgroup.join("cgroup.events"))?.lines().any(|line| line == "populated 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_a_tree() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir_all(tree.path().join("a/b")).unwrap();
        fs::write(tree.path().join("cgroup.procs"), "7\n").unwrap();
        fs::write(tree.path().join("a/b/cgroup.procs"), "0\n12\n7\n").unwrap();
        assert_eq!(pids(tree.path()), BTreeSet::from([7, 12]));
        assert_eq!(pids(&tree.path().join("none")), BTreeSet::new());
        fs::write(tree.path().join("cgroup.events"), "populated 1\nfrozen 0\n").unwrap();
        assert!(is_populated(tree.path()).unwrap());
    }
}
