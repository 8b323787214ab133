//! The files of a crate and which of them import which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use petgraph::algo::{has_path_connecting, tarjan_scc};
use petgraph::graphmap::DiGraphMap;

use super::imports::{Imports, Segments};
use crate::checkout;

/// A crate's modules, and what each imports.
pub(super) struct Graph {
    modules: BTreeMap<Segments, Imports>,
}

impl Graph {
    /// Reads the sources of the crate `name`.
    pub(super) fn of(name: &str) -> Result<Self> {
        Self::read(&checkout::root().join(name).join("src"), &name.replace('-', "_"))
    }

    /// Reads the sources in `folder`, of a crate that nobody imports.
    pub(super) fn at(folder: &Path) -> Result<Self> {
        Self::read(folder, "crate")
    }

    fn read(folder: &Path, name: &str) -> Result<Self> {
        let mut modules = BTreeMap::new();
        read(folder, name, &[], &mut modules)?;
        Ok(Self { modules })
    }

    /// The other crates that any of its files names.
    pub(super) fn crates(&self) -> BTreeSet<String> {
        self.modules.values().flat_map(|imports| imports.crates.iter().cloned()).collect()
    }

    /// The module whose file a path leads to: names that are handed on are followed.
    fn file_of(&self, path: &[String]) -> Option<&Segments> {
        let length = (0..=path.len()).rev().find(|&length| self.modules.contains_key(&path[..length]))?;
        let (module, imports) = self.modules.get_key_value(&path[..length])?;
        match path.get(length).and_then(|name| imports.handed_on.get(name)) {
            Some(on) if on[..] != path[..] => self.file_of(on),
            _ => Some(module),
        }
    }

    /// All arrows between files, but for those by which a folder's own file hands on what is in it.
    fn arrows(&self) -> BTreeSet<(&Segments, &Segments)> {
        let mut arrows = BTreeSet::new();
        for (from, imports) in &self.modules {
            let handed_on: BTreeSet<_> = imports.handed_on.values().collect();
            let used = imports.paths.iter().filter(|path| !handed_on.contains(path));
            arrows.extend(
                used.filter_map(|path| Some((from, self.file_of(path)?))).filter(|(from, to)| from != to),
            );
        }
        arrows
    }

    /// Files that import each other, on whatever way round; each circle and all of them in order.
    pub(super) fn circles(&self) -> Vec<Vec<String>> {
        let names: BTreeMap<&Segments, String> =
            self.modules.keys().map(|path| (path, path.join("/"))).collect();
        let arrows = self.arrows();
        let graph: DiGraphMap<&str, ()> =
            arrows.iter().map(|(from, to)| (names[*from].as_str(), names[*to].as_str())).collect();
        let sorted = |mut circle: Vec<&str>| {
            circle.sort_unstable();
            circle.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let mut circles: Vec<_> =
            tarjan_scc(&graph).into_iter().filter(|circle| circle.len() > 1).map(sorted).collect();
        circles.sort();
        circles
    }

    /// Which room imports which.
    pub(super) fn rooms(&self) -> BTreeSet<(String, String)> {
        let room = |path: &Segments| path.first().cloned();
        let arrows = self.arrows().into_iter().filter_map(|(from, to)| Some((room(from)?, room(to)?)));
        arrows.filter(|(from, to)| from != to).collect()
    }
}

/// The same without the arrows for which there is a way round by others.
pub(super) fn without_shortcuts(arrows: &BTreeSet<(String, String)>) -> BTreeSet<(String, String)> {
    let mut graph: DiGraphMap<&str, ()> =
        arrows.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    let mut left = arrows.clone();
    for (from, to) in arrows {
        graph.remove_edge(from, to);
        if has_path_connecting(&graph, from.as_str(), to.as_str(), None) {
            left.remove(&(from.clone(), to.clone()));
        } else {
            graph.add_edge(from, to, ());
        }
    }
    left
}

/// Reads a folder's files, of the crate `crate_name`, into `modules`; tests are left out.
fn read(
    folder: &Path,
    crate_name: &str,
    module: &[String],
    modules: &mut BTreeMap<Segments, Imports>,
) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let inner = |name: &str| [module, &[name.to_owned()]].concat();
        match name.as_str() {
            "tests" => {}
            _ if path.is_dir() => read(&path, crate_name, &inner(&name), modules)?,
            _ if path.extension().is_none_or(|extension| extension != "rs") => {}
            _ => {
                let text =
                    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                let module = if matches!(name.as_str(), "mod" | "lib" | "main") {
                    module.to_vec()
                } else {
                    inner(&name)
                };
                let imports = Imports::of(&text, crate_name, &module)
                    .with_context(|| format!("cannot parse {}", path.display()))?;
                // A program beside a library has the same root.
                modules.entry(module).or_default().add_all(imports);
            }
        }
    }
    Ok(())
}
