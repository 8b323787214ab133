//! From a name to cgroups: what the name means by the state of runtimes and by the tree as they are now.

use std::path::{Path, PathBuf};

use crate::{
    spec::nearest::nearest,
    target::{
        cgroup::Cgroup,
        hierarchy::Hierarchy,
        name::{
            container::{Container, Found},
            error::{NameError, shown},
            host::Host,
            pattern::Pattern,
            tree::Tree,
            units,
            word::{Kind, Name},
        },
    },
};

/// The shortest beginning of an id that names a container: a shorter one is a slip as easily.
const SHORTEST_ID: usize = 4;

/// Everything that the name means, which runs. More than one only for a pattern or a label.
///
/// # Errors
/// Nothing has the name, nothing that runs has it, or several have it and one is meant.
pub fn find(name: &Name, host: &Host) -> Result<Vec<Cgroup>, NameError> {
    let tree = Tree::read(&host.hierarchy)?;
    let found = if name.kind.is_of_containers() { host.containers() } else { Found::default() };
    let meant = meant(name, found, &tree, &host.roots)?;
    let open = |(name, path): (Option<Name>, PathBuf)| {
        let cgroup = Cgroup::at(&path, &host.hierarchy)?;
        Ok(match name {
            Some(name) => cgroup.named(name),
            None => cgroup,
        })
    };
    meant.into_iter().map(open).collect()
}

/// What has the name now; `None` as long as nothing that runs has it.
///
/// # Errors
/// Several have it, or cgroups cannot be read.
pub fn find_again(name: &Name, hierarchy: &Hierarchy) -> Result<Option<Cgroup>, NameError> {
    match find(name, &Host::here()?.with(hierarchy)) {
        Ok(found) => Ok(found.into_iter().next()),
        Err(error) if error.may_come() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The cgroups of all containers that run, whichever runtime has them, by the names that `/proc/PID/cgroup` prints.
///
/// # Errors
/// The tree of cgroups cannot be read.
pub(crate) fn running(host: &Host) -> Result<Vec<PathBuf>, NameError> {
    let tree = Tree::read(&host.hierarchy)?;
    let found = host.containers();
    let cgroup = |container: &Container| host.hierarchy.name(tree.container(&container.id)?);
    Ok(found.containers.iter().filter(|container| !container.sandbox).filter_map(cgroup).collect())
}

/// A cgroup, and the name by which it is met again if not by its path.
type Meant = (Option<Name>, PathBuf);

fn meant(name: &Name, found: Found, tree: &Tree, roots: &[PathBuf]) -> Result<Vec<Meant>, NameError> {
    match name.kind {
        Kind::Container | Kind::Label => containers(name, found, tree),
        Kind::Pod => pods(name, found, tree),
        Kind::Unit => named_units(name, tree, roots),
        Kind::Cgroup => {
            let pattern = pattern(&name.text)?;
            let paths = tree.named(|part| pattern.matches(part));
            match paths[..] {
                [] => Err(unknown(
                    name,
                    tree.named(|_| true).iter().filter_map(|path| path.file_name()?.to_str()),
                    0,
                )),
                [_, _, ..] if !pattern.is_any() => Err(several(name, paths.iter().map(|path| shown(path)))),
                _ => Ok(paths.into_iter().map(|path| (None, path.to_owned())).collect()),
            }
        }
    }
}

fn containers(name: &Name, found: Found, tree: &Tree) -> Result<Vec<Meant>, NameError> {
    let known: Vec<_> = found.containers.iter().filter(|container| !container.sandbox).collect();
    let known_of = |container: &&&Container| name.runtime.is_none_or(|runtime| container.runtime == runtime);
    let pattern = pattern(&name.text)?;
    let by = |is: &dyn Fn(&Container) -> bool| -> Vec<&Container> {
        known.iter().filter(known_of).filter(|container| is(container)).copied().collect()
    };
    let mut hits = if name.kind == Kind::Label {
        by(&|container| has_label(container, &name.text))
    } else {
        let alias =
            |container: &Container| container.alias.as_deref().is_some_and(|own| pattern.matches(own));
        let by_name = |container: &Container| pattern.matches(&container.name);
        if pattern.is_any() {
            by(&|container| by_name(container) || alias(container) || pattern.matches(&container.id))
        } else {
            let is_id =
                name.text.len() >= SHORTEST_ID && name.text.bytes().all(|byte| byte.is_ascii_hexdigit());
            let id = |container: &Container| is_id && container.id.starts_with(&name.text);
            // As Docker does: a name is rather a name than the beginning of an id.
            let levels: [&dyn Fn(&Container) -> bool; 4] =
                [&|container| container.id == name.text, &by_name, &alias, &id];
            levels.into_iter().map(by).find(|hits| !hits.is_empty()).unwrap_or_default()
        }
    };
    let Some(&first) = hits.first() else {
        if let Some(state) = found.unreadable.into_iter().next() {
            return Err(NameError::Unreadable { name: name.clone(), state });
        }
        let names = known.iter().filter(|_| name.kind == Kind::Container).map(|known| known.name.as_str());
        return Err(unknown(name, names, known.len()));
    };
    let running = |container: &&Container| tree.container(&container.id).is_some();
    hits.retain(running);
    if hits.is_empty() {
        return Err(NameError::Ended { name: name.clone(), runtime: Some(first.runtime) });
    }
    let many = name.kind == Kind::Label || pattern.is_any();
    if hits.len() > 1 && !many {
        return Err(several(name, hits.iter().map(|container| candidate(container, &hits))));
    }
    let again = |container: &Container| Name {
        kind: Kind::Container,
        text: container.name.clone(),
        runtime: Some(container.runtime),
    };
    Ok(hits
        .into_iter()
        .filter_map(|container| {
            let name = if many { again(container) } else { name.clone() };
            Some((Some(name), tree.container(&container.id)?.to_owned()))
        })
        .collect())
}

/// What tells a container from the other `hits`: its name, or else its id.
fn candidate(container: &Container, hits: &[&Container]) -> String {
    let namesakes = hits.iter().filter(|other| other.name == container.name).count();
    if namesakes == 1 {
        container.name.clone()
    } else {
        container.id.get(..12).unwrap_or(&container.id).into()
    }
}

fn has_label(container: &Container, text: &str) -> bool {
    match text.split_once('=') {
        Some((key, value)) => container.labels.get(key).is_some_and(|own| own == value),
        None => container.labels.contains_key(text),
    }
}

fn pods(name: &Name, found: Found, tree: &Tree) -> Result<Vec<Meant>, NameError> {
    let pattern = pattern(&name.text)?;
    let mut known: Vec<_> = found.containers.iter().filter_map(|container| container.pod.as_ref()).collect();
    known.sort_unstable();
    known.dedup();
    let whole = |pod: &&&super::container::Pod| {
        pattern.matches(&format!("{}/{}", pod.namespace, pod.name)) || pattern.matches(&pod.name)
    };
    let mut hits: Vec<_> = known.iter().filter(whole).collect();
    if hits.is_empty() {
        if let Some(state) = found.unreadable.into_iter().next() {
            return Err(NameError::Unreadable { name: name.clone(), state });
        }
        let names: Vec<_> = known.iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect();
        return Err(unknown(name, names.iter().map(String::as_str), found.containers.len()));
    }
    let cgroup = |pod: &super::container::Pod| {
        let mut own = found.containers.iter().filter(|container| container.pod.as_ref() == Some(pod));
        // Where the uid is not known, or not in the name: its containers' cgroups are in it.
        let parent = || own.find_map(|container| tree.container(&container.id)?.parent());
        tree.pod(&pod.uid).filter(|_| !pod.uid.is_empty()).or_else(parent).map(Path::to_owned)
    };
    hits.retain(|pod| cgroup(pod).is_some());
    if hits.is_empty() {
        let runtime = found.containers.iter().find(|container| container.pod.is_some());
        return Err(NameError::Ended {
            name: name.clone(),
            runtime: runtime.map(|container| container.runtime),
        });
    }
    if hits.len() > 1 && !pattern.is_any() {
        return Err(several(name, hits.iter().map(|pod| format!("{}/{}", pod.namespace, pod.name))));
    }
    let again = |pod: &super::container::Pod| {
        if pattern.is_any() {
            Name::new(Kind::Pod, format!("{}/{}", pod.namespace, pod.name))
        } else {
            name.clone()
        }
    };
    Ok(hits.into_iter().filter_map(|pod| Some((Some(again(pod)), cgroup(pod)?))).collect())
}

fn named_units(name: &Name, tree: &Tree, roots: &[PathBuf]) -> Result<Vec<Meant>, NameError> {
    let whole = units::whole(&name.text);
    let pattern = pattern(&whole)?;
    let mut paths = tree.named(|part| units::is_one(part) && pattern.matches(part));
    paths.retain(|path| !units::is_users(path));
    let unit = |path: &Path| path.file_name().and_then(|part| part.to_str()).unwrap_or_default().to_owned();
    match paths[..] {
        [] if !pattern.is_any() && units::installed(roots, &whole).is_some() => {
            Err(NameError::Ended { name: name.clone(), runtime: None })
        }
        [] => {
            let names: Vec<_> = tree.named(units::is_one).into_iter().map(unit).collect();
            let short = names.iter().map(|unit| unit.strip_suffix(".service").unwrap_or(unit));
            Err(unknown(name, short, names.len()))
        }
        [_, _, ..] if !pattern.is_any() => Err(several(name, paths.iter().map(|path| shown(path)))),
        _ => {
            let again =
                |path: &Path| if pattern.is_any() { Name::new(Kind::Unit, unit(path)) } else { name.clone() };
            Ok(paths.into_iter().map(|path| (Some(again(path)), path.to_owned())).collect())
        }
    }
}

fn pattern(text: &str) -> Result<Pattern, NameError> {
    Pattern::new(text).map_err(|source| NameError::Pattern { text: text.to_owned(), source: source.into() })
}

fn several(name: &Name, candidates: impl Iterator<Item = String>) -> NameError {
    NameError::Several { name: name.clone(), candidates: candidates.collect() }
}

fn unknown<'a>(name: &Name, known: impl Iterator<Item = &'a str>, others: usize) -> NameError {
    NameError::Unknown { name: name.clone(), others, nearest: nearest(&name.text, known) }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io};

    use super::*;
    use crate::target::name::container::{Pod, Runtime, StateError};

    fn plain(runtime: Runtime, name: &str, id: &str) -> Container {
        let labels =
            BTreeMap::from([("app".to_owned(), name.split('-').next().unwrap_or_default().to_owned())]);
        let (id, name) = (id.to_owned(), name.to_owned());
        Container { runtime, id, name, alias: None, labels, pod: None, sandbox: false }
    }

    fn of_pod(pod: &str, own: Option<&str>, id: &str) -> Container {
        let (namespace, name) = pod.split_once('/').unwrap();
        let pod = Pod { namespace: namespace.into(), name: name.into(), uid: format!("{namespace}-{name}") };
        Container::in_pod(Runtime::Containerd, id, pod, own, BTreeMap::new())
    }

    const TREE: [&str; 9] = [
        "/docker/aaaa1111",
        "/docker/aaaa2222",
        "/machine.slice/libpod-bbbb1111.scope",
        "/machine.slice/libpod-bbbb2222.scope",
        "/kubepods/podprod-shop/cccc1111",
        "/kubepods/podprod-shop/cccc2222",
        "/kubepods/podtest-shop/cccc3333",
        "/system.slice/redis.service",
        "/user.slice/user-7.slice/user@7.service/app.slice/redis.service",
    ];

    fn machine() -> Found {
        let containers = vec![
            plain(Runtime::Docker, "web-1", "aaaa1111"),
            plain(Runtime::Docker, "web-2", "aaaa2222"),
            plain(Runtime::Podman, "db", "bbbb1111"),
            plain(Runtime::Podman, "web-1", "bbbb2222"),
            plain(Runtime::Podman, "old", "bbbb3333"),
            of_pod("prod/shop", None, "cccc1111"),
            of_pod("prod/shop", Some("app"), "cccc2222"),
            of_pod("test/shop", Some("app"), "cccc3333"),
            of_pod("test/shop", Some("app"), "cccc4444"),
        ];
        Found { containers, unreadable: Vec::new() }
    }

    fn look(kind: Kind, text: &str) -> Result<Vec<String>, NameError> {
        let mut paths: Vec<&str> = TREE.to_vec();
        paths.sort_by_key(|path| path.split('/').count());
        let meant = meant(&Name::new(kind, text), machine(), &Tree::of(&paths), &[])?;
        let told = |(name, path): Meant| match name {
            Some(name) => format!("{name} {}", path.display()),
            None => path.display().to_string(),
        };
        Ok(meant.into_iter().map(told).collect())
    }

    fn refused(kind: Kind, text: &str) -> (String, String) {
        let error = look(kind, text).unwrap_err();
        (error.to_string(), error.hint())
    }

    #[test]
    fn one_by_its_name_or_id() {
        use Kind::{Cgroup, Container, Pod, Unit};
        for (kind, text, expected) in [
            (Container, "web-2", "container web-2 /docker/aaaa2222"),
            (Container, "aaaa1111", "container aaaa1111 /docker/aaaa1111"),
            (Container, "bbbb1", "container bbbb1 /machine.slice/libpod-bbbb1111.scope"),
            (Container, "db", "container db /machine.slice/libpod-bbbb1111.scope"),
            (Container, "prod/shop/app", "container prod/shop/app /kubepods/podprod-shop/cccc2222"),
            // Its earlier life is in the state, too.
            (Container, "test/shop/app", "container test/shop/app /kubepods/podtest-shop/cccc3333"),
            (Pod, "prod/shop", "pod prod/shop /kubepods/podprod-shop"),
            (Unit, "redis", "unit redis /system.slice/redis.service"),
            (Cgroup, "libpod-bbbb1111.scope", "/machine.slice/libpod-bbbb1111.scope"),
        ] {
            assert_eq!(look(kind, text).unwrap(), [expected], "{text}");
        }
    }

    #[test]
    fn many_by_a_pattern_or_a_label() {
        let names = |kind, text| look(kind, text).unwrap().join("; ");
        let webs = "container web-1 /docker/aaaa1111; container web-2 /docker/aaaa2222; \
                    container web-1 /machine.slice/libpod-bbbb2222.scope";
        assert_eq!(names(Kind::Container, "web-*"), webs);
        assert_eq!(names(Kind::Container, "/^web/"), webs);
        assert_eq!(names(Kind::Label, "app=web"), webs);
        assert_eq!(look(Kind::Label, "app").unwrap().len(), 4);
        assert_eq!(look(Kind::Pod, "*/shop").unwrap().len(), 2);
        assert_eq!(names(Kind::Unit, "re*"), "unit redis.service /system.slice/redis.service");
        assert_eq!(look(Kind::Cgroup, "redis*").unwrap().len(), 2);
    }

    #[test]
    fn a_name_that_means_none_or_two_or_one_that_has_ended() {
        use Kind::{Cgroup, Container, Label, Pod, Unit};
        for (kind, text, says, hint) in [
            (Container, "web-1", "2 have that name: aaaa1111, bbbb2222", "--container aaaa1111"),
            (Container, "app", "2 have that name: prod/shop/app, test/shop/app", "--container prod/shop/app"),
            (Container, "aaaa", "2 have that name: web-1, web-2", "--container web-1"),
            (Container, "web-3", "none of 8 containers has that name or id", "did you mean `web-1`?"),
            (Container, "aaa", "none of 8", "docker ps"),
            (Container, "old", "it does not run", "podman start old"),
            (Container, "/(/", "cannot read /(/ as a pattern", "/^web-[0-9]+$/"),
            (Label, "app=none", "none of 8 containers has that label", "kubectl get pods"),
            (Pod, "shop", "2 have that name: prod/shop, test/shop", "--pod prod/shop"),
            (Pod, "prod/shoq", "is in such a pod", "did you mean `prod/shop`?"),
            (Unit, "reddis", "there is no such unit", "did you mean `redis`?"),
            (
                Cgroup,
                "redis.service",
                "/system.slice/redis.service, /user.slice",
                "--cgroup /system.slice/redis",
            ),
            (Cgroup, "none", "no cgroup has that name", "systemd-cgls"),
        ] {
            let (message, told) = refused(kind, text);
            assert!(message.contains(says), "{text}: {message}");
            assert!(told.contains(hint), "{text}: {told}");
        }
    }

    #[test]
    fn state_that_cannot_be_read_is_said_where_it_matters() {
        let tree = Tree::of(&TREE);
        let broken = || {
            let state = StateError {
                path: "/var/lib/docker/containers".into(),
                source: io::ErrorKind::PermissionDenied.into(),
            };
            Found { unreadable: vec![state], ..machine() }
        };
        assert!(meant(&Name::new(Kind::Container, "db"), broken(), &tree, &[]).is_ok());
        let error = meant(&Name::new(Kind::Container, "none"), broken(), &tree, &[]).unwrap_err();
        assert!(error.is_permission(), "{error}");
        assert!(error.to_string().contains("cannot read /var/lib/docker/containers"), "{error}");
        let nothing = meant(&Name::new(Kind::Container, "none"), Found::default(), &tree, &[]).unwrap_err();
        assert!(nothing.hint().contains("sidecar"), "{nothing}");
    }
}
