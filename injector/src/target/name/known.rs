//! Everything that a kind of name could mean at the moment: what is offered to somebody who types one.

use std::path::Path;

use crate::target::{
    error::CgroupError,
    name::{container::Container, host::Host, tree::Tree, units, word::Kind},
};

/// The names of all that runs and has such a name, in order, each once; of cgroups the paths below the hierarchy's root.
///
/// # Errors
/// The cgroups cannot be read.
pub fn known(kind: Kind, host: &Host) -> Result<Vec<String>, CgroupError> {
    let tree = Tree::read(&host.hierarchy)?;
    let containers = if kind.is_of_containers() { host.containers().containers } else { Vec::new() };
    let root = host.hierarchy.mount_point();
    let mut names = named(kind, &containers, &tree, root);
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn named(kind: Kind, containers: &[Container], tree: &Tree, root: &Path) -> Vec<String> {
    let running = containers.iter().filter(|one| !one.sandbox && tree.container(&one.id).is_some());
    match kind {
        Kind::Container => running.map(|container| container.name.clone()).collect(),
        Kind::Label => {
            let labels = running.flat_map(|container| &container.labels);
            labels.map(|(key, value)| format!("{key}={value}")).collect()
        }
        Kind::Pod => {
            let pods = running.filter_map(|container| container.pod.as_ref());
            pods.map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect()
        }
        Kind::Unit => {
            let mut paths = tree.named(units::is_one);
            paths.retain(|path| !units::is_users(path));
            let names = paths.iter().filter_map(|path| path.file_name()?.to_str());
            names.map(|name| name.strip_suffix(".service").unwrap_or(name).to_owned()).collect()
        }
        Kind::Cgroup => {
            let below = |path: &&Path| {
                path.strip_prefix(root).ok().and_then(Path::to_str).map(|path| format!("/{path}"))
            };
            tree.named(|_| true).iter().filter_map(below).filter(|path| path != "/").collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::target::name::container::{Pod, Runtime};

    #[test]
    fn only_what_runs_is_offered() {
        let pod = Pod { namespace: "prod".into(), name: "shop".into(), uid: String::new() };
        let labels = BTreeMap::from([("app".to_owned(), "shop".to_owned())]);
        let of =
            |id: &str| Container::in_pod(Runtime::Containerd, id, pod.clone(), Some("web"), labels.clone());
        let containers = [of("aa11"), of("bb22")];
        let tree = Tree::of(&["/kubepods/aa11", "/system.slice/redis.service", "/system.slice"]);
        let named = |kind| named(kind, &containers, &tree, Path::new("/")).join(" ");
        assert_eq!(named(Kind::Container), "prod/shop/web");
        assert_eq!((named(Kind::Pod), named(Kind::Label)), ("prod/shop".into(), "app=shop".into()));
        assert_eq!(named(Kind::Unit), "redis system.slice");
        assert!(named(Kind::Cgroup).contains("/kubepods/aa11"));
    }
}
