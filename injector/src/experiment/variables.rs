//! The names that have a value while an experiment runs: `${run}`, `${seed}`, `${address.etcd1}`, what `set` captures.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

/// All names of a run. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Variables(Arc<RwLock<BTreeMap<String, String>>>);

impl Variables {
    /// Those that every run has.
    pub fn new(run: &str, seed: u64) -> Self {
        let this = Self::default();
        this.set("run", run);
        this.set("seed", &seed.to_string());
        this
    }

    /// `${address.NAME}` and `${dir.NAME}` of a service.
    pub fn service(&self, name: &str, address: IpAddr, folder: &Path) {
        self.set(&format!("address.{name}"), &address.to_string());
        self.set(&format!("dir.{name}"), &folder.display().to_string());
    }

    /// Gives a name a value.
    pub fn set(&self, name: &str, value: &str) {
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        names.insert(name.to_owned(), value.to_owned());
    }

    /// What a name means outside of any service.
    pub fn value(&self, name: &str) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// What a name means in the words of a service, where `${self}`, `${address}` and `${dir}` are its own.
    pub fn value_in(&self, service: &str, name: &str) -> Option<String> {
        match name {
            "self" => Some(service.to_owned()),
            "address" | "dir" => self.value(&format!("{name}.{service}")),
            other => self.value(other),
        }
    }

    /// What a name means in the words of an operation of a load, where `${n}` is its number.
    pub fn value_of_operation(&self, number: u64, name: &str) -> Option<String> {
        if name == "n" { Some(number.to_string()) } else { self.value(name) }
    }
}
