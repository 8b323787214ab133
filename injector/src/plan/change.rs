//! A live plan with other rules: what goes on, perhaps with other numbers in it, keeps its number, its counters and its
//! place in every thread's state; what is new starts at zero. Pure: the old plan and the new rules give the new plan.

use std::collections::{BTreeMap, BTreeSet};

use injector_common::{
    RULE_ENTRIES, RULE_NUMBERS,
    call::{PACKETS, Run, Slot},
    code::BackendCode,
    thread::MAX_SLOTS,
};
use serde::{Deserialize, Serialize};

use crate::{
    distribution::Files,
    plan::{
        DelayLine, Distributions, Plan, PlanError, PlannedRule, address_sets,
        backend::{Backend, BackendKind, Site},
        calls::{self, call_name},
        check, features, kernel_rule, names,
        objects::Objects,
        packets,
        tables::{self, Cells, Layout, Pair, pair},
        wanted::{Asked, Caught, End},
    },
    resolver,
    spec::model::{Rule, RuleKind},
};

/// Room for new rules in a plan that has few.
const SPARE: u32 = 96;

/// Slots that a plan reserves which begins with `slots` of them. Every thread of a target pays for the room,
/// eight bytes each.
pub(super) fn room(slots: usize) -> u32 {
    let slots = u32::try_from(slots).unwrap_or(MAX_SLOTS);
    (slots + SPARE.max(slots / 2)).min(MAX_SLOTS)
}

/// What became of the rules of a live plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Rules that go on.
    pub kept: Vec<Numbered>,
    /// Rules that go on with another probability, delay, rate or limit.
    #[serde(default)]
    pub adjusted: Vec<Numbered>,
    /// Rules that are new.
    pub added: Vec<Numbered>,
    /// Rules that have stopped.
    pub removed: Vec<Numbered>,
    /// What the user ought to know about the new ones.
    pub notes: Vec<String>,
}

/// A rule with its number in the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbered {
    /// The number.
    pub rule: u32,
    /// The text.
    pub text: String,
}

impl From<&PlannedRule> for Numbered {
    fn from(rule: &PlannedRule) -> Self {
        Self { rule: rule.number, text: rule.text.clone() }
    }
}

impl Plan {
    /// The plan with `rules` instead, and what that changes. `live` are the sites where programs are.
    ///
    /// # Errors
    /// As for a new plan; and what only a plan can be refused that must not pause.
    pub fn change(
        &self,
        rules: &[Rule],
        files: &Files,
        allow_unsafe: bool,
        live: &BTreeSet<Site>,
        backends: &[&dyn Backend],
    ) -> Result<(Self, Change), PlanError> {
        check(rules, &self.options)?;
        let mut distributions = self.distributions.clone();
        distributions.add(rules, files)?;
        let allow_unsafe = allow_unsafe || self.options.allow_unsafe;
        let (planned, next_number) = self.numbered(rules, &distributions)?;
        let numbers: Vec<_> = planned.iter().map(|rule| rule.number).collect();
        let entries: Vec<_> = planned.iter().map(|rule| rule.entry).collect();
        let kept: BTreeSet<_> = numbers.iter().copied().filter(|number| *number < self.next_number).collect();
        let resolved = calls::resolve(rules, allow_unsafe, backends, live)?;
        self.check_kept(&kept, &resolved.calls, &numbers)?;

        let (going_on, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            self.cells().into_iter().partition(|((number, _), _)| kept.contains(number));
        let cells = Cells { kept: going_on, left: gone.into_values().collect() };
        let base = if self.base == 0 { self.room } else { 0 };
        let asked = numbers.iter().copied().zip(rules.iter().map(|rule| &rule.kind));
        let objects = Objects::of(asked, Some(&self.objects));
        let layout =
            Layout { base, room: self.room, numbers: &numbers, entries: &entries, objects: &objects };
        let tables = tables::lay_out(&resolved.calls, &packets::places(rules), layout, &cells);
        if tables.slots.len() > self.room as usize {
            return Err(PlanError::NoRoom { slots: tables.slots.len(), room: self.room });
        }
        let resolutions = resolver::notes(rules);
        let rules: Vec<_> = planned
            .into_iter()
            .zip(resolved.calls_of_rule)
            .map(|(rule, calls)| PlannedRule { calls, ..rule })
            .collect();
        features::check(self.features, &rules, &tables.slots)?;
        let packets = |rule: &&PlannedRule| matches!(rule.asked, RuleKind::Net(_));
        if !self.packets
            && let Some(rule) = rules.iter().find(packets)
        {
            return Err(PlanError::NotLoaded { rule: rule.text.clone() });
        }
        let detour = self.delay_line_with(&rules);
        address_sets::check(&rules)?;
        names::check(&rules)?;
        let notes: Vec<_> =
            resolved.notes.into_iter().chain(resolutions).filter(|note| !self.notes.contains(note)).collect();
        let change = self.compared(&rules, notes.clone());
        let mut options = self.options.clone();
        options.allow_unsafe = allow_unsafe;
        let plan = Self {
            id: self.id,
            options,
            rules,
            sites: resolved.sites.union(&self.reserve.sites).cloned().collect(),
            calls: tables.calls,
            slots: tables.slots,
            base,
            room: self.room,
            features: self.features,
            reserve: self.reserve.clone(),
            objects,
            distributions,
            session: self.session,
            packets: self.packets,
            delay_line: detour,
            next_number,
            notes: self.notes.iter().cloned().chain(notes).collect(),
        };
        Ok((plan, change))
    }

    /// What becomes of our rules with those of another plan.
    fn compared(&self, rules: &[PlannedRule], notes: Vec<String>) -> Change {
        let mut change = Change { notes, ..Change::default() };
        for rule in rules {
            let list = match self.rules.iter().find(|old| old.number == rule.number) {
                Some(old) if old.entry == rule.entry => &mut change.kept,
                Some(_) => &mut change.adjusted,
                None => &mut change.added,
            };
            list.push(Numbered::from(rule));
        }
        let gone = self.rules.iter().filter(|old| rules.iter().all(|rule| rule.number != old.number));
        change.removed = gone.map(Numbered::from).collect();
        change
    }

    /// The rules with their numbers, and the number of the next new one. Those that mean the same as one of ours have its
    /// number, and its text; those that differ from one in numbers only have its number, and another entry.
    fn numbered(
        &self,
        rules: &[Rule],
        distributions: &Distributions,
    ) -> Result<(Vec<PlannedRule>, u32), PlanError> {
        let mut ours: Vec<&PlannedRule> = self.rules.iter().collect();
        let mut take = |wanted: &dyn Fn(&RuleKind) -> bool| {
            let at = ours.iter().position(|old| wanted(&old.asked))?;
            Some(ours.remove(at))
        };
        let same: Vec<_> = rules.iter().map(|rule| take(&|old| *old == rule.kind)).collect();
        let mut spare = self.spare_entries();
        let mut next = self.next_number;
        let mut planned = Vec::new();
        for (rule, same) in rules.iter().zip(same) {
            if let Some(old) = same {
                planned.push(old.clone());
                continue;
            }
            let (number, entry) = match take(&|old| old.differs_in_numbers(&rule.kind)) {
                Some(old) if old.entry != old.number => (old.number, old.number),
                Some(old) => (old.number, spare.next().ok_or(PlanError::NoNumbers)?),
                None if next as usize >= RULE_NUMBERS => return Err(PlanError::NoNumbers),
                None => (next, next),
            };
            next = next.max(number + 1);
            planned.push(PlannedRule {
                number,
                entry,
                asked: rule.kind.clone(),
                text: rule.text.clone(),
                kernel: kernel_rule(rule, number, &self.options, distributions),
                calls: 0,
            });
        }
        Ok((planned, next))
    }

    /// Entries of the table of rules behind all numbers that none of our rules has: as many as rules that have not gone
    /// on with other numbers, at least.
    fn spare_entries(&self) -> impl Iterator<Item = u32> + use<> {
        let taken: BTreeSet<_> = self.rules.iter().map(|rule| rule.entry).collect();
        let first = u32::try_from(RULE_NUMBERS).unwrap_or(u32::MAX);
        let end = u32::try_from(RULE_ENTRIES).unwrap_or(u32::MAX);
        (first..end).filter(move |entry| !taken.contains(entry))
    }

    /// What the delay line has to do with `rules`, too.
    fn delay_line_with(&self, rules: &[PlannedRule]) -> Option<DelayLine> {
        if self.options.monitor {
            return None;
        }
        let needed = DelayLine::of(rules.iter().map(|rule| &rule.kernel));
        match (self.delay_line, needed) {
            (Some(laid), Some(needed)) => Some(laid.with(needed)),
            (laid, needed) => laid.or(needed),
        }
    }

    /// Which rules are asked at one end of a call, with their cells.
    fn slots_of(&self, run: u64) -> &[Slot] {
        let Run { base, count, .. } = Run::of(run);
        let start = base.saturating_sub(self.base) as usize;
        &self.slots[start..start + usize::from(count)]
    }

    /// All slots but those of packets, with their entries of the call table.
    fn met(&self) -> impl Iterator<Item = (u32, &Slot)> {
        let calls = self.calls.iter().filter(|&(&entry, _)| entry != PACKETS);
        let ends = calls.flat_map(|(&entry, rules)| [(entry, rules.run), (entry, rules.behind)]);
        ends.flat_map(|(entry, run)| self.slots_of(run).iter().map(move |slot| (entry, slot)))
    }

    /// Who counts where.
    fn cells(&self) -> BTreeMap<Pair, u32> {
        self.met().map(|(entry, slot)| (pair(slot.rule, entry, slot.operation), slot.cell)).collect()
    }

    /// Every rule that goes on acts on the calls that it acts on now, by the same backend: another one could
    /// only take over with a moment in which a call meets both or none.
    fn check_kept(
        &self,
        kept: &BTreeSet<u32>,
        caught: &BTreeMap<u32, Caught>,
        numbers: &[u32],
    ) -> Result<(), PlanError> {
        for (entry, slot) in self.met().filter(|(_, slot)| kept.contains(&slot.rule)) {
            let (number, operation) = (slot.rule, slot.operation);
            let text = || {
                let rule = self.rules.iter().find(|rule| rule.number == number);
                rule.map(|rule| rule.text.clone()).unwrap_or_default()
            };
            let goes_on = |end: &&End| {
                let same =
                    |asked: &Asked| numbers[asked.rule as usize] == number && asked.operation == operation;
                end.rules.iter().any(same)
            };
            let Some(now) = caught.get(&entry).and_then(|call| call.ends().find(goes_on)) else {
                return Err(PlanError::Loses { rule: text(), call: call_name(entry) });
            };
            // A call that has run is always caught by the same one.
            let before = Run::of(self.calls[&entry].run).backend;
            if !now.backend.is_behind() && now.backend.number() != before {
                let from = BackendCode::try_from(u32::from(before)).and_then(BackendKind::try_from);
                return Err(PlanError::Switch {
                    rule: text(),
                    call: call_name(entry),
                    from: from.unwrap_or(now.backend),
                    to: now.backend,
                });
            }
        }
        Ok(())
    }
}
