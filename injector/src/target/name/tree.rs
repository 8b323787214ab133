//! Finding cgroups in the tree: by the last part of their name, by the id of a container, by the uid of a pod.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use crate::target::{cgroup::directories_below, error::CgroupError, hierarchy::Hierarchy};

/// All cgroups of a hierarchy, those above before those below.
pub(super) struct Tree(Vec<PathBuf>);

impl Tree {
    pub(super) fn read(hierarchy: &Hierarchy) -> Result<Self, CgroupError> {
        let top = hierarchy.mount_point();
        let mut paths =
            directories_below(top).map_err(|source| CgroupError::Read { path: top.to_owned(), source })?;
        paths.sort_by(|one, other| (one.components().count(), one).cmp(&(other.components().count(), other)));
        Ok(Self(paths))
    }

    /// Those whose last part is meant.
    pub(super) fn named(&self, meant: impl Fn(&str) -> bool) -> Vec<&Path> {
        let name = |path: &&PathBuf| path.file_name().and_then(OsStr::to_str).is_some_and(&meant);
        self.0.iter().filter(name).map(PathBuf::as_path).collect()
    }

    /// That of the container with this id. Drivers name it `ID`, `libpod-ID`, `docker-ID.scope`, `cri-containerd-ID.scope`
    /// and so on; a runtime's monitor (conmon) has one with its id, too.
    pub(super) fn container(&self, id: &str) -> Option<&Path> {
        let meant = |name: &str| {
            let head = name.strip_suffix(".scope").unwrap_or(name).strip_suffix(id);
            // CRI-O has it as `crio-ID` or, by systemd, in a slice per container.
            head.is_some_and(|head| (head.is_empty() || head.ends_with('-')) && !head.contains("conmon"))
        };
        self.named(meant).first().copied()
    }

    /// That of the pod with this uid: `podUID`, or `kubepods-…-podUID.slice` with `_` for each `-`.
    pub(super) fn pod(&self, uid: &str) -> Option<&Path> {
        let by_systemd = format!("-pod{}.slice", uid.replace('-', "_"));
        let by_kubelet = format!("pod{uid}");
        let meant = |name: &str| name == by_kubelet || name.ends_with(&by_systemd);
        self.named(meant).first().copied()
    }
}

#[cfg(test)]
impl Tree {
    pub(super) fn of(paths: &[&str]) -> Self {
        Self(paths.iter().map(PathBuf::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_by_any_driver() {
        for (path, id) in [
            ("/docker/aa11", "aa11"),
            ("/system.slice/docker-aa11.scope", "aa11"),
            ("/machine.slice/libpod-aa11.scope", "aa11"),
            ("/libpod_parent/libpod-aa11", "aa11"),
            ("/kubepods.slice/kubepods-pod1.slice/cri-containerd-aa11.scope", "aa11"),
            ("/kubepods.slice/kubepods-pod1.slice/crio-aa11.scope", "aa11"),
            ("/default/nerdctl-aa11.scope", "aa11"),
        ] {
            let around = [
                "/machine.slice/libpod-conmon-aa11.scope",
                "/crio-conmon-aa11.scope",
                "/system.slice/docker-aa112.scope",
                "/docker/baa11",
                path,
                &format!("{path}/container"),
            ];
            assert_eq!(Tree::of(&around).container(id), Some(Path::new(path)));
            assert_eq!(Tree::of(&around[..4]).container(id), None, "{path}");
        }
    }

    #[test]
    fn a_pod_by_either_driver() {
        let tree = Tree::of(&["/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice"]);
        assert!(tree.pod("1-2").is_some() && tree.pod("1").is_none() && tree.pod("2").is_none());
        assert!(Tree::of(&["/kubepods/burstable/pod1-2"]).pod("1-2").is_some());
    }
}
