//! containerd's state, which is nerdctl's and that of Kubernetes on containerd as well: labels in its database (bucket
//! `v1/NAMESPACE/containers/ID/labels`, core/metadata/buckets.go), and what runs in the OCI bundles of its tasks, whose
//! annotations tell the pod (internal/cri/annotations) or nerdctl's name.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use crate::target::name::{
    bolt::{Bolt, Bucket},
    container::{Container, Found, Pod, Runtime},
};

/// Where containerd keeps what lasts and what goes with the machine's start; also that of k3s, MicroK8s and k0s.
const PLACES: [(&str, &str); 4] = [
    ("var/lib/containerd", "run/containerd"),
    ("var/lib/rancher/k3s/agent/containerd", "run/k3s/containerd"),
    ("var/snap/microk8s/common/var/lib/containerd", "var/snap/microk8s/common/run/containerd"),
    ("var/lib/k0s/containerd", "run/k0s/containerd"),
];

/// Docker's own namespace, whose containers have no names here.
const DOCKER: &str = "moby";

#[derive(Deserialize)]
struct Oci {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

type Texts = BTreeMap<String, String>;

/// Adds containerd's containers of the machine whose files are below `root`.
pub(super) fn containers(root: &Path, found: &mut Found) {
    for (lasting, passing) in PLACES {
        // By namespace and id: labels, annotations.
        let mut known: BTreeMap<(String, String), (Texts, Texts)> = BTreeMap::new();
        let database = root.join(lasting).join("io.containerd.metadata.v1.bolt/meta.db");
        if let Some(bolt) = found.read(&database).and_then(Bolt::open) {
            read_labels(&bolt, &mut known);
        }
        let tasks = root.join(passing).join("io.containerd.runtime.v2.task");
        for namespace in found.names(&tasks) {
            for id in found.names(&tasks.join(&namespace)) {
                let path = tasks.join(&namespace).join(&id).join("config.json");
                if let Some(oci) = found.json::<Oci>(&path) {
                    known.entry((namespace.clone(), id)).or_default().1 = oci.annotations;
                }
            }
        }
        let known = known.into_iter().filter(|((namespace, _), _)| namespace != DOCKER);
        found.containers.extend(known.map(|((_, id), (labels, annotations))| one(id, labels, &annotations)));
    }
}

fn read_labels(bolt: &Bolt, known: &mut BTreeMap<(String, String), (Texts, Texts)>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let Some(version) = bolt.root().bucket("v1") else { return };
    for (namespace, inside) in version.buckets() {
        let Some(containers) = inside.bucket("containers") else { continue };
        for (id, container) in containers.buckets() {
            let labels = container.bucket("labels").map(Bucket::values).unwrap_or_default();
            let labels = labels.into_iter().map(|(key, value)| (text(key), text(value))).collect();
            known.entry((text(namespace), text(id))).or_default().0 = labels;
        }
    }
}

fn one(id: String, labels: Texts, annotations: &Texts) -> Container {
    // What the kubelet labels a container with (pkg/kubelet/types/labels.go), and what CRI says of it.
    let get = |label: &str, annotation: &str| {
        labels.get(label).or_else(|| annotations.get(annotation)).cloned().unwrap_or_default()
    };
    let pod = Pod {
        namespace: get("io.kubernetes.pod.namespace", "io.kubernetes.cri.sandbox-namespace"),
        name: get("io.kubernetes.pod.name", "io.kubernetes.cri.sandbox-name"),
        uid: get("io.kubernetes.pod.uid", "io.kubernetes.cri.sandbox-uid"),
    };
    if !pod.name.is_empty() {
        let own = get("io.kubernetes.container.name", "io.kubernetes.cri.container-name");
        return Container::in_pod(Runtime::Containerd, &id, pod, Some(&own), labels);
    }
    let nerdctl = get("nerdctl/name", "nerdctl/name");
    let (runtime, name) =
        if nerdctl.is_empty() { (Runtime::Containerd, id.clone()) } else { (Runtime::Nerdctl, nerdctl) };
    Container { runtime, id, name, alias: None, labels, pod: None, sandbox: false }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::target::name::bolt::fixture::{Node, database, value};

    #[test]
    fn pods_and_nerdctl_and_plain_ones() {
        let root = tempfile::tempdir().unwrap();
        let put = |place: String, bytes: &[u8]| {
            let path = root.path().join(place);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        let labelled = |labels| Node::Bucket(vec![("image", value("x")), ("labels", Node::Bucket(labels))]);
        let pod = |own: Option<&'static str>| {
            let mut labels = vec![("app", value("shop"))];
            labels.extend(own.map(|own| ("io.kubernetes.container.name", value(own))));
            labels.push(("io.kubernetes.pod.name", value("shop-0")));
            labels.push(("io.kubernetes.pod.namespace", value("prod")));
            labels.push(("io.kubernetes.pod.uid", value("1-2")));
            if own.is_some() { labelled(labels.split_off(1)) } else { labelled(labels) }
        };
        let kubernetes = Node::Bucket(vec![("aa11", pod(None)), ("bb22", pod(Some("app")))]);
        let namespaces = vec![
            (
                "default",
                Node::Bucket(vec![(
                    "containers",
                    Node::Bucket(vec![("cc33", labelled(vec![("nerdctl/name", value("job"))]))]),
                )]),
            ),
            ("k8s.io", Node::Bucket(vec![("containers", kubernetes)])),
        ];
        put(
            "var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db".into(),
            &database(&[("v1", Node::Bucket(namespaces))]),
        );
        let task = |namespace: &str, id: &str| {
            format!("run/containerd/io.containerd.runtime.v2.task/{namespace}/{id}/config.json")
        };
        put(task("moby", "dd44"), b"{}");
        put(task("default", "plain"), br#"{"ociVersion":"1.1.0"}"#);
        put(
            task("k8s.io", "ee55"),
            br#"{"annotations":{"io.kubernetes.cri.container-type":"container","io.kubernetes.cri.sandbox-name":"old-1",
                "io.kubernetes.cri.sandbox-namespace":"prod","io.kubernetes.cri.container-name":"app"}}"#,
        );
        let mut found = Found::default();
        containers(root.path(), &mut found);
        found.share_pod_labels();
        let told: Vec<_> = found.containers.iter().map(Container::describe).collect();
        assert_eq!(
            told,
            [
                "job (nerdctl, cc33)",
                "plain (containerd, plain)",
                "prod/shop-0 (containerd, aa11)",
                "prod/shop-0/app (containerd, bb22)",
                "prod/old-1/app (containerd, ee55)",
            ]
        );
        assert_eq!(found.containers[3].labels["app"], "shop", "a label of the pod");
        assert!(found.containers[2].sandbox);
    }
}
