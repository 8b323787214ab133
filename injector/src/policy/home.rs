//! The pod or the container in which the injector runs, by the name of its cgroup.

use std::{ffi::OsStr, path::Path};

/// Length of a container's id, in hexadecimal digits.
const ID: usize = 64;

/// The cgroup of the pod, or else of the container, that a cgroup belongs to; `None` outside of both.
pub(super) fn home(cgroup: &Path) -> Option<&Path> {
    let named =
        |is: fn(&str) -> bool| move |path: &&Path| path.file_name().and_then(OsStr::to_str).is_some_and(is);
    let pod = cgroup.ancestors().find(named(is_pod));
    pod.or_else(|| cgroup.ancestors().filter(named(is_container)).last())
}

/// `podUID`, or `kubepods-…-podUID.slice`: by the kubelet's two cgroup drivers.
fn is_pod(name: &str) -> bool {
    let uid =
        name.strip_suffix(".slice").map_or(name.strip_prefix("pod"), |name| Some(name.split_once("-pod")?.1));
    uid.is_some_and(|uid| {
        uid.len() >= 32 && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || b"-_".contains(&byte))
    })
}

/// `ID`, `docker-ID.scope`, `libpod-ID` and so on.
fn is_container(name: &str) -> bool {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    let id = name.rsplit('-').next().unwrap_or(name);
    id.len() == ID && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_any_driver() {
        let id = "0123456789abcdef".repeat(4);
        let uid = "12345678-1234-1234-1234-123456789012";
        let slice = format!("kubepods-burstable-pod{}.slice", uid.replace('-', "_"));
        for (cgroup, expected) in [
            ("/".to_owned(), None),
            ("/user.slice/user-1000.slice/session-1.scope".into(), None),
            ("/system.slice/podman.service".into(), None),
            (format!("/docker/{id}"), Some(format!("/docker/{id}"))),
            (format!("/docker/{id}/docker/{id}/x"), Some(format!("/docker/{id}"))),
            (format!("/system.slice/docker-{id}.scope/x"), Some(format!("/system.slice/docker-{id}.scope"))),
            (format!("/kubepods/burstable/pod{uid}/{id}"), Some(format!("/kubepods/burstable/pod{uid}"))),
            (
                format!("/kubepods.slice/{slice}/cri-containerd-{id}.scope"),
                Some(format!("/kubepods.slice/{slice}")),
            ),
        ] {
            assert_eq!(home(Path::new(&cgroup)), expected.as_deref().map(Path::new), "{cgroup}");
        }
    }
}
