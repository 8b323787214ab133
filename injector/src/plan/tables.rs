//! The call table and the slot table of a plan: which rules each call meets at its ends, in their order,
//! and which cell of a thread's state counts for each of them. Pure; a change of a plan is laid out here
//! as well.

use std::collections::{BTreeMap, BTreeSet};

use injector_common::call::{CALL_ENTRIES, CallRules, PACKETS, Run, Slot};

use crate::plan::{
    objects::Objects,
    wanted::{Asked, Caught, End},
};

/// Who counts: a rule's number, and an entry of the call table or, behind all of those, an operation. A rule is
/// at one end of a call only; an operation can pass one hook or another, and counts once.
pub(super) type Pair = (u32, u32);

/// The pair of a rule's number and a slot at `entry`.
pub(super) const fn pair(number: u32, entry: u32, operation: u32) -> Pair {
    (number, if operation == 0 { entry } else { CALL_ENTRIES + operation })
}

/// Cells that were given out before.
#[derive(Default)]
pub(super) struct Cells {
    /// Of rules that go on, and stay theirs.
    pub(super) kept: BTreeMap<Pair, u32>,
    /// Of rules that are gone. Calls that are under way count there for a moment longer, so they are the last
    /// to be given to others.
    pub(super) left: BTreeSet<u32>,
}

/// What a layout is made for.
#[derive(Clone, Copy)]
pub(super) struct Layout<'a> {
    /// Where the slots begin.
    pub(super) base: u32,
    /// How many cells there are, as far as it is known yet.
    pub(super) room: u32,
    /// Which number the rule at each place of the list has.
    pub(super) numbers: &'a [u32],
    /// And which entry of the table of rules.
    pub(super) entries: &'a [u32],
    /// What rules ask of files and sockets.
    pub(super) objects: &'a Objects,
}

/// What the kernel side looks up.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) calls: BTreeMap<u32, CallRules>,
    /// From the plan's base on.
    pub(super) slots: Vec<Slot>,
}

/// Lays out `caught` calls and `packets`, the rules on packets by their places.
pub(super) fn lay_out(
    caught: &BTreeMap<u32, Caught>,
    packets: &[u32],
    layout: Layout<'_>,
    cells: &Cells,
) -> Tables {
    let taken: BTreeSet<u32> = cells.kept.values().copied().collect();
    let new = (0..layout.room).filter(|cell| !taken.contains(cell) && !cells.left.contains(cell));
    let mut free = new.chain(cells.left.iter().copied());
    let mut given = cells.kept.clone();
    let mut tables = Tables::default();
    for (&entry, call) in caught {
        let mut rules = CallRules { hooks: call.hooks, mask: call.mask, ..CallRules::default() };
        for (end, run) in [(&call.before, &mut rules.run), (&call.behind, &mut rules.behind)] {
            let Some(End { backend, rules }) = end else { continue };
            *run = tables.run(layout.base, rules.len(), backend.number()).word();
            for asked in rules {
                let pair = pair(layout.numbers[asked.rule as usize], entry, asked.operation);
                let cell = *given.entry(pair).or_insert_with(|| free.next().unwrap_or(u32::MAX));
                tables.slots.push(slot(asked, cell, layout));
            }
        }
        tables.calls.insert(entry, rules);
    }
    if !packets.is_empty() {
        // The matches of packets are counted by rule, not by thread.
        let run = tables.run(layout.base, packets.len(), 0).word();
        let slot = |&rule: &u32| Slot {
            entry: layout.entries[rule as usize],
            ..Slot::of(layout.numbers[rule as usize], 0)
        };
        tables.slots.extend(packets.iter().map(slot));
        tables.calls.insert(PACKETS, CallRules { run, ..CallRules::default() });
    }
    tables
}

fn slot(asked: &Asked, cell: u32, layout: Layout<'_>) -> Slot {
    let rule = layout.numbers[asked.rule as usize];
    let mut slot = Slot::of(rule, cell);
    (slot.entry, slot.order) = (layout.entries[asked.rule as usize], asked.rule);
    slot.tests = u32::try_from(asked.tests.len()).unwrap_or(0);
    for (to, from) in slot.arguments.iter_mut().zip(&asked.tests) {
        *to = *from;
    }
    (slot.operation, slot.mask) = (asked.operation, asked.mask);
    [slot.descriptor, slot.other] = asked.descriptors;
    slot.object = layout.objects.wanted(rule);
    slot
}

impl Tables {
    /// The run that begins where the slots end.
    fn run(&self, base: u32, count: usize, backend: u16) -> Run {
        let base = base + u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        Run { base, count: u16::try_from(count).unwrap_or(u16::MAX), backend }
    }
}
