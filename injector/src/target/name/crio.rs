//! CRI-O's state: in the storage that Podman has as well; whose pod a container is, in its OCI configuration.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::target::name::{
    container::{Container, Found, Pod, Runtime},
    storage::Entry,
};

#[derive(Deserialize)]
struct Metadata {
    /// The pod's sandbox; Podman's containers have none here.
    #[serde(rename = "pod-id", default)]
    sandbox: String,
}

#[derive(Deserialize)]
struct Oci {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Is this container CRI-O's?
pub(super) fn is_one(entry: &Entry) -> bool {
    serde_json::from_str::<Metadata>(&entry.metadata).is_ok_and(|metadata| !metadata.sandbox.is_empty())
}

/// Adds CRI-O's containers. One whose configuration is not there does not run.
pub(super) fn containers(entries: &[Entry], found: &mut Found) {
    for entry in entries {
        let read = |folder: &std::path::PathBuf| found.json::<Oci>(&folder.join("config.json"));
        let Some(Oci { annotations }) = entry.folders.iter().find_map(read) else { continue };
        let get = |key: &str| annotations.get(key).cloned().unwrap_or_default();
        let pod = Pod {
            namespace: get("io.kubernetes.pod.namespace"),
            name: get("io.kubernetes.pod.name"),
            uid: get("io.kubernetes.pod.uid"),
        };
        let own = get("io.kubernetes.container.name");
        let sandbox = get("io.kubernetes.cri-o.ContainerType") == "sandbox";
        let labels = serde_json::from_str(&get("io.kubernetes.cri-o.Labels")).unwrap_or_default();
        let own = (!sandbox).then_some(own.as_str());
        found.containers.push(Container::in_pod(Runtime::CriO, &entry.id, pod, own, labels));
    }
}
