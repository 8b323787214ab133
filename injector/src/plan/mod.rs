//! Rules made concrete for this kernel: which function each call is caught at, which slot each rule has,
//! what is refused and why. Pure data, printable; nothing is attached here.

mod address_sets;
pub mod backend;
mod calls;
mod change;
mod decision;
pub(crate) mod delay_line;
mod delays;
mod distributions;
mod error;
mod features;
mod instead;
mod name;
mod names;
pub mod objects;
mod operations;
mod options;
mod packets;
mod placement;
mod refusals;
mod reserve;
mod tables;
#[cfg(test)]
mod tests;
pub mod unsupported;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use injector_common::{
    MAX_RULES,
    call::{CallRules, PACKETS, Slot},
    config::{USES_MOST, USES_RECORDS},
    netem::VIA_DELAY_LINE_IN,
    packet::{CONNECT, EGRESS, INGRESS},
    rule::Rule as KernelRule,
    session::Session,
    thread::MAX_SLOTS,
};

pub use self::{
    address_sets::address_sets,
    change::{Change, Numbered},
    delay_line::{DelayLine, Queue},
    distributions::{Distributions, read_files},
    error::PlanError,
    instead::Instead,
    name::{PlanName, PlanNameError},
    names::names,
    options::{MAX_CALL_DELAY, Options},
};
use crate::{
    distribution::Files,
    plan::{
        backend::{Backend, Site},
        decision::kernel_rule,
        objects::Objects,
        reserve::Reserve,
        tables::{Cells, Layout},
    },
    resolver,
    spec::{
        model::{Rule, RuleKind},
        user_space::UserSpaceRule,
    },
};

/// One rule of a plan.
#[derive(Clone, Debug)]
pub struct PlannedRule {
    /// Its number: the place in the list that the plan began with; later rules get later numbers, and no
    /// number is given twice.
    pub number: u32,
    /// Its entry in the kernel's table of rules: the number, or one behind all numbers.
    pub entry: u32,
    /// What it means: a rule that means the same goes on when the plan changes.
    pub asked: RuleKind,
    /// As the user gave it.
    pub text: String,
    /// What the kernel side reads.
    pub kernel: KernelRule,
    /// System calls that it names and that can be caught, over all ABIs; 0 for a packet rule.
    pub calls: usize,
}

impl PlannedRule {
    /// Does it have processes stand still?
    pub fn pauses(&self) -> bool {
        match &self.asked {
            RuleKind::UserSpace(UserSpaceRule::Process(rule)) => rule.pauses(),
            _ => false,
        }
    }
}

/// Everything that is to be done, and nothing done yet.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The plan's number, by which `ps` and `stop` know it.
    pub id: u32,
    /// What the user said.
    pub options: Options,
    /// The rules, in their order.
    pub rules: Vec<PlannedRule>,
    /// The functions to attach to.
    pub sites: BTreeSet<Site>,
    /// The call table: entry -> slots and hooks.
    pub calls: BTreeMap<u32, CallRules>,
    /// Patterns of paths and sets of ports.
    pub objects: Objects,
    /// Distributions of delays.
    pub distributions: Distributions,
    /// Has it memory for flows of packets and for queues? A change cannot give it any.
    pub packets: bool,
    /// The connection by which the user came, which packet rules leave alone.
    pub session: Session,
    /// What the delay line has to do; `None` where no packet goes through one.
    pub delay_line: Option<DelayLine>,
    /// The slot table from `base` on: which rules each call meets at its ends.
    pub slots: Vec<Slot>,
    /// Where `slots` begins: 0 or `room`. A change goes to the other half of the table.
    pub base: u32,
    /// How many slots, and cells in each thread's state, the plan has room for in the course of its changes.
    pub room: u32,
    /// What the programs can do, as bits of [`injector_common::config::Config::features`].
    pub features: u32,
    /// What is kept ready for rules that a change may bring.
    reserve: Reserve,
    /// The number of the next new rule.
    pub next_number: u32,
    /// What the user ought to know: calls that were left out, and why.
    pub notes: Vec<String>,
}

impl Plan {
    /// Its number, as it is typed: eight hexadecimal digits.
    pub fn typed_id(&self) -> String {
        format!("{:08x}", self.id)
    }

    /// Makes `rules` concrete with the `backends` of this kernel, the preferred one first. `files` are those that the
    /// rules, and those of the repertoire, name ([`read_files`]). A plan without rules is idle until a change brings some.
    ///
    /// # Errors
    /// The first rule that cannot be had as it was asked for; nothing is half applied.
    pub fn new(
        rules: &[Rule],
        files: &Files,
        options: Options,
        id: u32,
        backends: &[&dyn Backend],
    ) -> Result<Self, PlanError> {
        Self::beside(rules, files, options, id, &BTreeSet::new(), backends)
    }

    /// The same where there are programs at the sites `live`, which are preferred.
    fn beside(
        rules: &[Rule],
        files: &Files,
        options: Options,
        id: u32,
        live: &BTreeSet<Site>,
        backends: &[&dyn Backend],
    ) -> Result<Self, PlanError> {
        check(rules, &options)?;
        let mut distributions = Distributions::default();
        distributions.add(rules, files)?;
        let resolved = calls::resolve(rules, options.allow_unsafe, backends, live)?;
        let reserve = Self::reserve(files, &options, &resolved.sites, backends)?;
        let resolutions = resolver::notes(rules);
        let numbers: Vec<_> = (0..).take(rules.len()).collect();
        let objects = Objects::of(numbers.iter().copied().zip(rules.iter().map(|rule| &rule.kind)), None);
        let layout =
            Layout { base: 0, room: MAX_SLOTS, numbers: &numbers, entries: &numbers, objects: &objects };
        let tables = tables::lay_out(&resolved.calls, &packets::places(rules), layout, &Cells::default());
        let slots = tables.slots.len();
        if slots > MAX_SLOTS as usize {
            return Err(PlanError::TooManySlots { slots });
        }
        let planned = rules.iter().zip(&numbers).zip(&resolved.calls_of_rule);
        let planned = planned.map(|((rule, &number), &calls)| PlannedRule {
            number,
            entry: number,
            asked: rule.kind.clone(),
            text: rule.text.clone(),
            kernel: kernel_rule(rule, number, &options, &distributions),
            calls,
        });
        let rules: Vec<_> = planned.collect();
        let delay_line =
            if options.monitor { None } else { DelayLine::of(rules.iter().map(|rule| &rule.kernel)) };
        let packets = options.whole
            || reserve.packets
            || rules.iter().any(|rule| matches!(rule.asked, RuleKind::Net(_)));
        address_sets::check(&rules)?;
        names::check(&rules)?;
        let records = if options.records { USES_RECORDS } else { 0 };
        let needed = features::needed(rules.iter().map(|rule| &rule.kernel), &tables.slots);
        let needed = needed | reserve.features | records;
        Ok(Self {
            id,
            rules,
            features: if options.whole { needed | USES_MOST } else { needed },
            objects,
            distributions,
            session: Session::default(),
            packets,
            delay_line,
            options,
            sites: resolved.sites.union(&reserve.sites).cloned().collect(),
            calls: tables.calls,
            slots: tables.slots,
            base: 0,
            room: change::room(slots + reserve.slots),
            reserve,
            next_number: u32::try_from(numbers.len()).unwrap_or(u32::MAX),
            notes: resolved.notes.into_iter().chain(resolutions).collect(),
        })
    }

    /// What the rules of the repertoire need, each by itself. `live` are the sites where programs will be anyhow.
    fn reserve(
        files: &Files,
        options: &Options,
        live: &BTreeSet<Site>,
        backends: &[&dyn Backend],
    ) -> Result<Reserve, PlanError> {
        let mut all = Reserve::default();
        let mut live = live.clone();
        for rule in &options.repertoire {
            let options = Options { repertoire: Vec::new(), ..options.clone() };
            let alone = Self::beside(std::slice::from_ref(rule), files, options, 0, &live, backends)?;
            all.features |= alone.features;
            all.slots += alone.slots.len();
            all.packets |= alone.packets;
            all.delays |= alone.delays_calls();
            live.extend(alone.sites.iter().cloned());
            all.sites.extend(alone.sites);
        }
        Ok(all)
    }

    /// Does a rule mean packets that go out?
    pub fn needs_egress(&self) -> bool {
        self.rules.iter().any(|rule| rule.kernel.packets.directions & EGRESS != 0)
    }

    /// Does a rule mean packets that come in?
    pub fn needs_ingress(&self) -> bool {
        self.rules.iter().any(|rule| rule.kernel.packets.directions & INGRESS != 0)
    }

    /// The first rule by which packets that come in go through the delay line, if there is one.
    pub fn inbound(&self) -> Option<&PlannedRule> {
        self.delay_line?;
        self.rules.iter().find(|rule| rule.kernel.netem.via & VIA_DELAY_LINE_IN != 0)
    }

    /// Does a rule mean packets that pass devices?
    pub fn needs_devices(&self) -> bool {
        self.needs_egress() || self.inbound().is_some()
    }

    /// Does a rule make calls wait, or may one that a change brings?
    pub fn delays_calls(&self) -> bool {
        self.reserve.delays || self.rules.iter().any(|rule| rule.kernel.delays())
    }

    /// Does a rule have processes stand still?
    pub fn pauses(&self) -> bool {
        self.rules.iter().any(PlannedRule::pauses)
    }

    /// Does a rule mean connections that are about to be made?
    pub fn needs_connect(&self) -> bool {
        self.rules.iter().any(|rule| rule.kernel.packets.directions & CONNECT != 0)
    }

    /// Does a rule mean what sockets send or get: packets, or connections?
    pub fn needs_packets(&self) -> bool {
        self.needs_egress() || self.needs_ingress() || self.needs_connect()
    }

    /// Does a rule mean what threads do: system calls or operations?
    pub fn needs_calls(&self) -> bool {
        self.calls.keys().any(|&entry| entry != PACKETS)
    }
}

/// Is `rule` one that some kernel can have? Gives what there is to note of it whatever the kernel is.
///
/// # Errors
/// What is refused everywhere: calls that must not fail, delays that are too long or too short.
pub fn check_anywhere(rule: &Rule, allow_unsafe: bool) -> Result<Vec<String>, PlanError> {
    let options = Options { allow_unsafe, ..Options::default() };
    check(std::slice::from_ref(rule), &options)?;
    calls::check_anywhere(rule, allow_unsafe)
}

/// Do all rules fit, and is no delay longer than allowed, or too short?
fn check(rules: &[Rule], options: &Options) -> Result<(), PlanError> {
    if rules.len() > MAX_RULES {
        return Err(PlanError::TooManyRules { given: rules.len() });
    }
    rules.iter().try_for_each(|rule| delays::check(rule, options.max_call_delay))?;
    rules.iter().try_for_each(|rule| packets::check(rule, options.max_packet_delay))
}
