//! What a machine cannot do without, and its users cannot: a target that has one of these processes is refused, unless the
//! user insists (`--unsafe`). They are known by their names; a policy's patterns of cgroups are for all else.

use std::path::PathBuf;

use crate::policy::{Inhabitant, PolicyError, Subject, home::home};

const RUNTIME: &str = "a container runtime, on which all its containers depend";
const KUBELET: &str = "the agent by which Kubernetes keeps this node";
const LOGIN: &str = "the server by which users log in to this machine";
const INIT: &str = "what starts and stops all services";
const DNS: &str = "the DNS of this node";

/// Names, as the kernel cuts them off behind 15 bytes, and what they stand for.
const PROTECTED: [(&str, &str); 17] = [
    ("conmon", RUNTIME),
    ("conmonrs", RUNTIME),
    ("containerd", RUNTIME),
    ("containerd-shim", RUNTIME),
    ("cri-dockerd", RUNTIME),
    ("crio", RUNTIME),
    ("docker-proxy", RUNTIME),
    ("dockerd", RUNTIME),
    ("k3s-agent", KUBELET),
    ("k3s-server", KUBELET),
    ("kubelet", KUBELET),
    ("node-cache", DNS),
    ("podman", RUNTIME),
    ("sshd", LOGIN),
    ("sshd-session", LOGIN),
    ("systemd", INIT),
    ("systemd-resolve", DNS),
];

/// Where the injector itself is.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Is process 1 the machine's init? In a container's pid namespace it is the container's.
    pub has_init: bool,
    /// The name of the injector's own cgroup, if it has one.
    pub own: Option<PathBuf>,
}

/// Is the target free of what is protected?
///
/// # Errors
/// [`PolicyError::Protected`] or [`PolicyError::Home`].
pub fn check_protected(subject: &Subject, machine: &Machine) -> Result<(), PolicyError> {
    let (target, is_cgroup) = (subject.target.clone(), subject.is_cgroup);
    if let Some(home) = machine.own.as_deref().and_then(home) {
        let holds = |name: &&PathBuf| name.starts_with(home) || is_cgroup && home.starts_with(name);
        if subject.cgroups.iter().any(|name| holds(&name)) {
            return Err(PolicyError::Home { target, home: home.to_owned() });
        }
    }
    let found = subject.inhabitants.iter().find_map(|one| Some((one, role(one, machine)?)));
    match found {
        Some((Inhabitant { pid, comm, cgroup, .. }, role)) => {
            let (pid, comm, cgroup) = (*pid, comm.clone(), cgroup.clone());
            Err(PolicyError::Protected { target, is_cgroup, pid, comm, cgroup, role })
        }
        None => Ok(()),
    }
}

/// What a process is to the machine; `None` for all that may be touched.
fn role(one: &Inhabitant, machine: &Machine) -> Option<&'static str> {
    if one.pid == 1 && machine.has_init {
        return Some(INIT);
    }
    let role = PROTECTED.iter().find(|(name, _)| *name == one.comm)?.1;
    // The node's DNS may be a pod.
    (one.of_the_machine || role == DNS).then_some(role)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, comm: &str) -> Inhabitant {
        Inhabitant { pid, comm: comm.into(), cgroup: Some("/a/b".into()), of_the_machine: true }
    }

    fn contained(pid: u32, comm: &str) -> Inhabitant {
        Inhabitant { of_the_machine: false, ..process(pid, comm) }
    }

    #[test]
    fn names_are_as_the_kernel_cuts_them() {
        assert!(PROTECTED.iter().all(|(name, _)| name.len() <= 15));
        assert!(PROTECTED.is_sorted());
    }

    #[test]
    fn processes() {
        let machine = Machine { has_init: true, own: None };
        for (inhabitants, protected) in [
            (vec![], None),
            (vec![process(7, "nginx"), process(8, "bash")], None),
            (vec![process(7, "nginx"), process(8, "sshd")], Some(8)),
            (vec![process(1, "sh")], Some(1)),
            (vec![process(9, "containerd-shim")], Some(9)),
            (vec![process(9, "sshd-agent")], None),
            // GitLab's container has its own sshd, and its own process 1.
            (vec![contained(9, "sshd"), contained(10, "systemd")], None),
            (vec![contained(9, "node-cache")], Some(9)),
        ] {
            let subject = Subject { is_cgroup: true, inhabitants: inhabitants.clone(), ..Subject::default() };
            let found = match check_protected(&subject, &machine) {
                Err(PolicyError::Protected { pid, .. }) => Some(pid),
                Ok(()) => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(found, protected, "{inhabitants:?}");
        }
        let subject = Subject { inhabitants: vec![process(1, "sh")], ..Subject::default() };
        assert!(check_protected(&subject, &Machine::default()).is_ok(), "a container's own process 1");
    }

    #[test]
    fn the_injectors_own_container() {
        let home = format!("/docker/{}", "ab".repeat(32));
        let machine = Machine { has_init: true, own: Some(format!("{home}/x").into()) };
        for (cgroup, is_cgroup, refused) in [
            (home.as_str(), true, true),
            (&format!("{home}/y"), true, true),
            ("/docker", true, true),
            ("/docker", false, false),
            (&format!("{home}/x"), false, true),
            ("/system.slice", true, false),
        ] {
            let subject = Subject { is_cgroup, cgroups: vec![cgroup.into()], ..Subject::default() };
            let checked = check_protected(&subject, &machine);
            assert_eq!(matches!(checked, Err(PolicyError::Home { .. })), refused, "{cgroup}");
        }
    }
}
