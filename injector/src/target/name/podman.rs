//! Podman's state: names in its storage; labels in libpod's database, which is a bolt database up to Podman 4 and stays
//! one where that has made it. Podman 5 has SQLite for it, which is not read: its containers have no labels here.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::target::name::{
    bolt::Bolt,
    container::{Container, Found, Runtime},
    storage::{Entry, Store},
};

/// What libpod keeps of a container (libpod/container_config.go), as far as it is of use.
#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// Adds Podman's containers of a store.
pub(super) fn containers(store: &Store, entries: &[Entry], found: &mut Found) {
    let database = store.graph.join("libpod/bolt_state.db");
    let bolt = if entries.is_empty() { None } else { found.read(&database).and_then(Bolt::open) };
    let known = bolt.as_ref().and_then(|bolt| bolt.root().bucket("ctr"));
    for entry in entries {
        let config = known.and_then(|known| known.bucket(&entry.id)?.value("config"));
        let config = config.and_then(|config| serde_json::from_slice::<Config>(config).ok());
        found.containers.push(Container {
            runtime: Runtime::Podman,
            id: entry.id.clone(),
            name: entry.names.first().unwrap_or(&entry.id).clone(),
            alias: None,
            labels: config.map(|config| config.labels).unwrap_or_default(),
            pod: None,
            sandbox: false,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::target::name::{
        bolt::fixture::{Node, database, value},
        crio, storage,
    };

    #[test]
    fn containers_of_podman_and_cri_o_in_one_storage() {
        let root = tempfile::tempdir().unwrap();
        let put = |place: &str, bytes: &[u8]| {
            let path = root.path().join(place);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        put("etc/containers/storage.conf", b"[storage]\ndriver = \"overlay\"\ngraphroot = \"/srv/store\"\n");
        put(
            "srv/store/overlay-containers/containers.json",
            br#"[{"id":"aa11","names":["web"],"image":"x","metadata":"{\"image-name\":\"x\",\"name\":\"web\"}"},
                {"id":"bb22","names":["k8s_POD_shop_default_77-1_0"],"metadata":
                 "{\"pod-name\":\"k8s_shop_default_77-1_0\",\"pod-id\":\"bb22\",\"container-name\":\"POD\"}"},
                {"id":"cc33","names":["k8s_app_shop_default_77-1_0"],"metadata":
                 "{\"pod-name\":\"k8s_shop_default_77-1_0\",\"pod-id\":\"bb22\",\"container-name\":\"app\"}"}]"#,
        );
        put("srv/store/overlay-containers/volatile-containers.json", br#"[{"id":"dd44","names":["job"]}]"#);
        let config = value(r#"{"spec":{},"id":"aa11","name":"web","labels":{"app":"shop"}}"#);
        let known = Node::Bucket(vec![("aa11", Node::Bucket(vec![("config", config)]))]);
        put("srv/store/libpod/bolt_state.db", &database(&[("ctr", known)]));
        let annotations = |own: &str| {
            format!(
                r#"{{"annotations":{{"io.kubernetes.pod.namespace":"default","io.kubernetes.pod.name":"shop",
                "io.kubernetes.pod.uid":"77-1","io.kubernetes.container.name":"{own}",
                "io.kubernetes.cri-o.ContainerType":"{}",
                "io.kubernetes.cri-o.Labels":"{{\"tier\":\"front\"}}"}}}}"#,
                if own == "POD" { "sandbox" } else { "container" }
            )
        };
        for (id, own) in [("bb22", "POD"), ("cc33", "app")] {
            let place = format!("run/containers/storage/overlay-containers/{id}/userdata/config.json");
            put(&place, annotations(own).as_bytes());
        }

        let mut found = Found::default();
        for store in storage::stores(root.path(), None, &mut found) {
            let (ours, theirs) = store.entries(&mut found).into_iter().partition::<Vec<_>, _>(crio::is_one);
            containers(&store, &theirs, &mut found);
            crio::containers(&ours, &mut found);
        }
        assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
        let told: Vec<_> = found.containers.iter().map(Container::describe).collect();
        assert_eq!(
            told,
            [
                "web (Podman, aa11)",
                "job (Podman, dd44)",
                "default/shop (CRI-O, bb22)",
                "default/shop/app (CRI-O, cc33)"
            ]
        );
        assert_eq!(found.containers[0].labels["app"], "shop");
        assert_eq!(found.containers[3].labels["tier"], "front");
        assert!(found.containers[2].sandbox && !found.containers[3].sandbox);
        let own = Path::new("/own/conf");
        assert!(storage::stores(root.path(), Some(own), &mut found).len() >= 2, "one that is not there");
    }
}
