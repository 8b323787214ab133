//! The call table and the slot table of a plan: which rules each call meets, in their order, and which
//! cell of a thread's state counts for each of them. Pure; a change of a plan is laid out here as well.

use std::collections::{BTreeMap, BTreeSet};

use injector_common::call::{CallRules, PACKETS, Run, Slot};

use super::calls::Caught;

/// A rule's number and an entry of the call table: who counts.
pub(super) type Pair = (u32, u32);

/// What the kernel side looks up.
pub(super) struct Tables {
    pub(super) calls: BTreeMap<u32, CallRules>,
    /// From the plan's base on.
    pub(super) slots: Vec<Slot>,
}

/// Lays out `caught` calls and `packets`, the rules on packets, for a slot table that begins at `base`.
/// `numbers` says which number the rule at each place of the list has; `cells` which cells are taken.
pub(super) fn lay_out(
    caught: &BTreeMap<u32, Caught>,
    packets: &[u32],
    numbers: &[u32],
    base: u32,
    cells: &BTreeMap<Pair, u32>,
) -> Tables {
    let taken: BTreeSet<u32> = cells.values().copied().collect();
    let mut free = (0..).filter(|cell| !taken.contains(cell));
    let mut tables = Tables { calls: BTreeMap::new(), slots: Vec::new() };
    for (&entry, call) in caught {
        let run = tables.run(base, call.rules.len(), call.backend.number());
        for rule in &call.rules {
            let number = numbers[*rule as usize];
            let cell = cells.get(&(number, entry)).copied().or_else(|| free.next()).unwrap_or(u32::MAX);
            tables.slots.push(Slot { rule: number, cell });
        }
        tables.calls.insert(entry, CallRules { run: run.word(), hooks: call.hooks, mask: call.mask });
    }
    if !packets.is_empty() {
        // The matches of packets are counted by rule, not by thread.
        let run = tables.run(base, packets.len(), 0);
        tables.slots.extend(packets.iter().map(|&rule| Slot { rule: numbers[rule as usize], cell: 0 }));
        tables.calls.insert(PACKETS, CallRules { run: run.word(), ..CallRules::default() });
    }
    tables
}

impl Tables {
    /// The run that begins where the slots end.
    fn run(&self, base: u32, count: usize, backend: u16) -> Run {
        let base = base + u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        Run { base, count: u16::try_from(count).unwrap_or(u16::MAX), backend }
    }
}
