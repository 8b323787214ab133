//! What rules have of their own in the kernel's tries: addresses and ports, or names. A rule's are written once,
//! before any packet meets it, and taken away when no plan that acts has the rule any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::fd::BorrowedFd,
};

use bytemuck::NoUninit;

use crate::{
    kernel::bpf::sys,
    plan::{Plan, PlannedRule},
};

/// What was written into one trie, by the numbers of the rules.
#[derive(Debug)]
pub(crate) struct Elements<Key, Value>(BTreeMap<u32, Vec<(Key, Value)>>);

impl<Key, Value> Default for Elements<Key, Value> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<Key: NoUninit, Value: NoUninit> Elements<Key, Value> {
    /// Writes to `map` what `plan` needs, `of` each rule, while packets may still meet the rules of `acting`. Nothing
    /// is written again: the trie would make a new node for it.
    pub(crate) fn fill(
        &mut self,
        map: BorrowedFd<'_>,
        acting: Option<&Plan>,
        plan: &Plan,
        of: impl Fn(&PlannedRule) -> Vec<(Key, Value)>,
    ) -> io::Result<()> {
        // A number that the acting plan does not have may be of a rule that was tried and not taken.
        let live: BTreeSet<u32> =
            acting.iter().flat_map(|acting| &acting.rules).map(|rule| rule.number).collect();
        for (_, gone) in self.0.extract_if(.., |number, _| !live.contains(number)) {
            for (key, _) in gone {
                sys::remove(map, bytemuck::bytes_of(&key))?;
            }
        }
        for rule in plan.rules.iter().filter(|rule| !live.contains(&rule.number)) {
            let new = self.0.entry(rule.number).or_insert_with(|| of(rule));
            for (key, value) in new {
                sys::update(map, bytemuck::bytes_of(key), bytemuck::bytes_of(value))?;
            }
        }
        Ok(())
    }
}
