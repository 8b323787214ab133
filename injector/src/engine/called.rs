//! Whose an event is: from the number of a cgroup to the target, as the user calls it.

use std::collections::HashMap;

use crate::{engine::Record, kernel::installation::Readings, target::Target};

/// More cgroups than these are asked for again: numbers of those that are gone are not kept for ever.
const ROOM: usize = 4096;

/// The targets' names, and which cgroups were found to be theirs.
#[derive(Debug)]
pub(super) struct Called {
    names: Vec<String>,
    known: HashMap<u64, usize>,
}

impl Called {
    pub(super) fn of(targets: &[Target]) -> Self {
        Self { names: targets.iter().map(Target::describe).collect(), known: HashMap::new() }
    }

    /// Adds the target's name to what happened in one of its cgroups.
    pub(super) fn name(&mut self, mut record: Record, readings: &Readings) -> Record {
        if record.cgroup == 0 || record.process.is_some() {
            return record;
        }
        let number = self.known.get(&record.cgroup).copied().or_else(|| {
            let number = readings.target_of(record.cgroup)? as usize;
            if self.known.len() >= ROOM {
                self.known.clear();
            }
            self.known.insert(record.cgroup, number);
            Some(number)
        });
        record.target = number.and_then(|number| self.names.get(number).cloned());
        record
    }
}
