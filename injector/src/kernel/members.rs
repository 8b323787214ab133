//! The sets of addresses and ports in the kernel. A rule's are written once, before any packet meets it, and
//! taken away when no plan that acts has the rule any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::fd::BorrowedFd,
};

use injector_common::member::Member;

use super::sys;
use crate::plan::{Plan, members};

/// What was written, by the numbers of the rules.
#[derive(Debug, Default)]
pub(super) struct Members(BTreeMap<u32, Vec<Member>>);

impl Members {
    /// Writes to `map` what `plan` needs, while packets may still meet the rules of `acting`. Nothing is written
    /// again: the trie would make a new node for it.
    pub(super) fn fill(&mut self, map: BorrowedFd<'_>, acting: Option<&Plan>, plan: &Plan) -> io::Result<()> {
        // A number that the acting plan does not have may be of a rule that was tried and not taken.
        let live: BTreeSet<u32> =
            acting.iter().flat_map(|acting| &acting.rules).map(|rule| rule.number).collect();
        for (_, gone) in self.0.extract_if(.., |number, _| !live.contains(number)) {
            for member in gone {
                sys::remove(map, bytemuck::bytes_of(&member))?;
            }
        }
        for rule in plan.rules.iter().filter(|rule| !live.contains(&rule.number)) {
            let new = self.0.entry(rule.number).or_insert_with(|| members(rule));
            for member in new {
                sys::update(map, bytemuck::bytes_of(member), &[1])?;
            }
        }
        Ok(())
    }
}
