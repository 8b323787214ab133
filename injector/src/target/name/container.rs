//! A container as its runtime's state describes it, and what of that state could not be read.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// Who keeps a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
    /// containerd, also for Kubernetes.
    Containerd,
    /// nerdctl, on containerd.
    Nerdctl,
    /// CRI-O.
    CriO,
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "Docker",
            Self::Podman => "Podman",
            Self::Containerd => "containerd",
            Self::Nerdctl => "nerdctl",
            Self::CriO => "CRI-O",
        })
    }
}

/// A Kubernetes pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pod {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
}

/// A container that a runtime knows, whether it runs or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) runtime: Runtime,
    pub(super) id: String,
    /// `NAMESPACE/POD/CONTAINER` of one in a pod; the id where there is none.
    pub(super) name: String,
    /// Its name within its pod.
    pub(super) alias: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) pod: Option<Pod>,
    /// The one that holds the pod's namespaces, and runs nothing.
    pub(super) sandbox: bool,
}

impl Container {
    /// One in a pod. What the kubelet labels it with is known from the pod, too.
    pub(super) fn in_pod(
        runtime: Runtime,
        id: &str,
        pod: Pod,
        own: Option<&str>,
        labels: BTreeMap<String, String>,
    ) -> Self {
        let own = own.filter(|own| !own.is_empty());
        let place = format!("{}/{}", pod.namespace, pod.name);
        Self {
            runtime,
            id: id.to_owned(),
            name: own.map_or_else(|| place.clone(), |own| format!("{place}/{own}")),
            alias: own.map(str::to_owned),
            labels,
            pod: Some(pod),
            sandbox: own.is_none(),
        }
    }
}

#[cfg(test)]
impl Container {
    /// In a few words: `web (Docker, aa11)`.
    pub(super) fn describe(&self) -> String {
        format!("{} ({}, {})", self.name, self.runtime, self.id)
    }
}

/// A part of a runtime's state that is there and cannot be read.
#[derive(Debug)]
pub struct StateError {
    /// The file or directory.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// What the state of runtimes says.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) containers: Vec<Container>,
    /// What is there and could not be read.
    pub(super) unreadable: Vec<StateError>,
}

impl Found {
    /// Reads a file, if it is there.
    pub(super) fn read(&mut self, path: &Path) -> Option<Vec<u8>> {
        self.take(path, fs::read(path))
    }

    /// Reads a file of JSON, if it is there.
    pub(super) fn json<T: for<'a> Deserialize<'a>>(&mut self, path: &Path) -> Option<T> {
        let bytes = self.read(path)?;
        let value = serde_json::from_slice(&bytes);
        self.take(path, value.map_err(io::Error::from))
    }

    /// Names in a directory, if it is there; none of a file that vanishes meanwhile.
    pub(super) fn names(&mut self, path: &Path) -> Vec<String> {
        let entries = fs::read_dir(path).map(|entries| {
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect::<Vec<_>>()
        });
        self.take(path, entries).unwrap_or_default()
    }

    /// A value, or a note on what is in the way.
    pub(super) fn take<T>(&mut self, path: &Path, read: io::Result<T>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                None
            }
            Err(source) => {
                self.unreadable.push(StateError { path: path.to_owned(), source });
                None
            }
        }
    }

    /// Gives the containers of a pod the labels of the pod, which runtimes keep with its sandbox.
    pub(super) fn share_pod_labels(&mut self) {
        let sandboxes: BTreeMap<_, _> = self
            .containers
            .iter()
            .filter(|container| container.sandbox)
            .filter_map(|container| Some((container.pod.clone()?, container.labels.clone())))
            .collect();
        for container in &mut self.containers {
            let Some(pod) = &container.pod else { continue };
            let labels = sandboxes.get(pod).into_iter().flatten();
            for (key, value) in labels {
                container.labels.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
    }
}
