//! The storage that Podman and CRI-O share (containers/storage): where it is, and which containers are in it.
//! `containers.json` has their names, `volatile-containers.json` those of containers that go with the machine's start.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::target::name::container::Found;

/// A store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Store {
    pub(super) graph: PathBuf,
    pub(super) run: PathBuf,
}

/// A container in it.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) id: String,
    #[serde(default)]
    pub(super) names: Vec<String>,
    /// JSON of whoever made it.
    #[serde(default)]
    pub(super) metadata: String,
    /// Where it keeps its files: `…-containers/ID/userdata`.
    #[serde(skip)]
    pub(super) folders: Vec<PathBuf>,
}

/// `storage.conf` (containers-storage.conf(5)).
#[derive(Deserialize)]
struct Config {
    storage: Option<Places>,
}

#[derive(Deserialize)]
struct Places {
    graphroot: Option<PathBuf>,
    runroot: Option<PathBuf>,
}

/// All stores of the machine whose files are below `root`: that of root, as `config` or the machine's `storage.conf`
/// says, and those of users.
pub(super) fn stores(root: &Path, config: Option<&Path>, found: &mut Found) -> Vec<Store> {
    let below = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
    let usual =
        Store { graph: root.join("var/lib/containers/storage"), run: root.join("run/containers/storage") };
    let files = [root.join("etc/containers/storage.conf"), root.join("usr/share/containers/storage.conf")];
    let files = config.map(below).into_iter().chain(files);
    let mut stores = Vec::new();
    for file in files {
        let Some(bytes) = found.read(&file) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let places = toml::from_str::<Config>(&text).ok().and_then(|config| config.storage);
        let Some(places) = places else { continue };
        stores.push(Store {
            graph: places.graphroot.map_or_else(|| usual.graph.clone(), |path| below(&path)),
            run: places.runroot.map_or_else(|| usual.run.clone(), |path| below(&path)),
        });
    }
    stores.push(usual);
    for home in found.names(&root.join("home")) {
        let graph = root.join("home").join(home).join(".local/share/containers/storage");
        stores.push(Store { run: graph.clone(), graph });
    }
    let mut known = Vec::new();
    for store in stores {
        if !known.iter().any(|other: &Store| other.graph == store.graph) {
            known.push(store);
        }
    }
    known
}

impl Store {
    /// Its containers.
    pub(super) fn entries(&self, found: &mut Found) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for place in [&self.graph, &self.run] {
            let folders = found.names(place);
            for folder in folders.iter().filter(|name| name.ends_with("-containers")) {
                for file in ["containers.json", "volatile-containers.json"] {
                    let listed: Option<Vec<Entry>> = found.json(&place.join(folder).join(file));
                    for mut entry in listed.unwrap_or_default() {
                        if entries.iter().any(|known| known.id == entry.id) {
                            continue;
                        }
                        let at = |place: &PathBuf| place.join(folder).join(&entry.id).join("userdata");
                        entry.folders = [&self.run, &self.graph].map(at).to_vec();
                        entries.push(entry);
                    }
                }
            }
        }
        entries
    }
}
