//! Docker's state: `containers/ID/config.v2.json` below its data root (moby, daemon/container/container.go).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::target::name::container::{Container, Found, Runtime};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default, rename = "Config")]
    inner: Option<Inner>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inner {
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Daemon {
    #[serde(rename = "data-root")]
    data_root: Option<PathBuf>,
}

/// Adds Docker's containers of the machine whose files are below `root`.
pub(super) fn containers(root: &Path, found: &mut Found) {
    let mut places = vec![root.join("var/lib/docker"), root.join("var/snap/docker/common/var-lib-docker")];
    if let Some(Daemon { data_root: Some(own) }) = found.json(&root.join("etc/docker/daemon.json")) {
        let own = root.join(own.strip_prefix("/").unwrap_or(&own));
        if !places.contains(&own) {
            places.push(own);
        }
    }
    for place in places {
        let containers = place.join("containers");
        for id in found.names(&containers) {
            let Some(config) = found.json::<Config>(&containers.join(id).join("config.v2.json")) else {
                continue;
            };
            let labels = config.inner.and_then(|inner| inner.labels).unwrap_or_default();
            // Docker writes the name as `/web`.
            let name = config.name.trim_start_matches('/').to_owned();
            let name = if name.is_empty() { config.id.clone() } else { name };
            found.containers.push(Container {
                runtime: Runtime::Docker,
                id: config.id,
                name,
                alias: None,
                labels,
                pod: None,
                sandbox: false,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_and_labels() {
        let root = tempfile::tempdir().unwrap();
        let put = |place: &str, text: &str| {
            let path = root.path().join(place);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put(
            "var/lib/docker/containers/aa11/config.v2.json",
            r#"{"StreamConfig":{},"State":{"Running":true,"Pid":77},"ID":"aa11","Name":"/web",
                "Config":{"Hostname":"aa11","Labels":{"app":"shop"}},"Driver":"overlay2"}"#,
        );
        put("etc/docker/daemon.json", r#"{"data-root":"/srv/docker"}"#);
        put(
            "srv/docker/containers/bb22/config.v2.json",
            r#"{"ID":"bb22","Name":"/db","Config":{"Labels":null}}"#,
        );
        put("srv/docker/containers/cc33/config.v2.json", "{");
        // Made, and not written yet.
        fs::create_dir(root.path().join("srv/docker/containers/dd44")).unwrap();
        let mut found = Found::default();
        containers(root.path(), &mut found);
        let names: Vec<_> = found.containers.iter().map(|c| (c.name.as_str(), c.id.as_str())).collect();
        assert_eq!(names, [("web", "aa11"), ("db", "bb22")]);
        assert_eq!(found.containers[0].labels["app"], "shop");
        assert_eq!(found.unreadable.len(), 1, "{:?}", found.unreadable);
        assert!(found.unreadable[0].path.ends_with("cc33/config.v2.json"));
    }
}
