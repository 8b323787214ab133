//! What the shop counts, as a page in Prometheus' text format.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

/// Counters and gauges by name and labels.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<BTreeMap<&'static str, i64>>);

impl Metrics {
    /// Adds to one. Those that are never added to are not on the page, so each is begun with 0.
    pub(crate) fn add(&self, name: &'static str, number: i64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry(name).or_default() += number;
    }

    /// The page.
    pub(crate) fn page(&self) -> String {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut page = String::new();
        for (name, number) in &*all {
            // Writing to a text cannot fail.
            let _ = writeln!(page, "{name} {number}");
        }
        page
    }
}
