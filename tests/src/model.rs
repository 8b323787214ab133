//! What a plan has to decide, told again: from the seed, the position of each thread in the process tree and
//! the number of the call, with nothing from the kernel. The pure functions are those of injector-common,
//! which has tests of its own; what is checked here is that the kernel side feeds them rightly.

use std::net::IpAddr;

use bytemuck::Zeroable;
use injector_common::{
    call::{ABI_NATIVE, entry},
    decide::{Match, triggered},
    delay::{Delay, Table},
    flow::{EPHEMERAL, FlowClass},
    netem::{DELAYED, Netem, State, Verdict},
    packet::mapped,
    random::{Draws, rule_seed},
    rule::Rule,
    thread::{child_position, root_position},
    trigger::{Threshold, When},
    wait,
};

/// A rule, as far as it decides which matches fire.
#[derive(Clone, Copy, Debug)]
pub struct Decider {
    rule: Rule,
}

/// The position of the command that `run` starts.
pub fn root() -> u64 {
    root_position(1)
}

/// The position of the `nth` child or thread, from 1, of the thread at `parent`.
pub fn child(parent: u64, nth: usize) -> u64 {
    child_position(parent, nth as u64)
}

/// The positions of the workers of `calls`, in the order of the board.
pub fn positions(processes: usize, threads: usize) -> Vec<u64> {
    if processes == 0 {
        return vec![root()];
    }
    let process = (1..=processes).map(|nth| child(root(), nth));
    process.flat_map(|process| (1..=threads).map(move |nth| child(process, nth))).collect()
}

impl Decider {
    /// Rule number `number`, from 0, of a plan with that seed; fires always.
    pub fn new(seed: u64, number: u32) -> Self {
        let rule = Rule {
            when: When::ALWAYS,
            threshold: Threshold::ALWAYS,
            seed: rule_seed(seed, number),
            ..Rule::zeroed()
        };
        Self { rule }
    }

    /// `when=first..last+step`.
    #[must_use]
    pub fn when(mut self, first: u32, last: Option<u32>, step: u32) -> Self {
        self.rule.when = When { first, last: last.unwrap_or(When::FOREVER), step, ..When::ALWAYS };
        self
    }

    /// `prob=percent%`.
    #[must_use]
    pub fn percent(mut self, percent: u32) -> Self {
        self.rule.threshold = Threshold(((u64::from(percent) << 32) + 50) / 100);
        self
    }

    /// Does call `number` (from 1) of the thread at `position` fire? `call` is its number in the native ABI.
    pub fn fires(&self, position: u64, call: libc::c_long, number: usize) -> bool {
        triggered(&self.rule, at(position, call, number)).is_ok()
    }

    /// How long it waits at one end if so, in nanoseconds, by the table of the delay's distribution.
    pub fn waits(
        &self,
        position: u64,
        call: libc::c_long,
        number: usize,
        (end, delay): (u64, &Delay),
        table: Option<&Table>,
    ) -> u64 {
        wait::length(delay, table, wait::draw(self.rule.seed, end, at(position, call, number)))
    }

    /// The numbers, from 1, of those of `calls` calls that fail.
    pub fn failures(&self, position: u64, call: libc::c_long, calls: usize) -> Vec<usize> {
        (1..=calls).filter(|&number| self.fires(position, call, number)).collect()
    }
}

/// Call `number` (from 1) of the thread at `position`.
fn at(position: u64, call: libc::c_long, number: usize) -> Match {
    let entry = u32::try_from(call).ok().and_then(|call| entry(ABI_NATIVE, call)).unwrap_or_default();
    Match { subject: position, object: u64::from(entry) + 1, number: number as u64 }
}

/// A flow of packets as a rule counts it, told again. The port that is not ephemeral is no part of it here: the
/// tests' servers have ports of the kernel's choice.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    seed: u64,
    id: u64,
}

impl Flow {
    /// The `nth` flow, from 0, in a direction, by a protocol (its number) and with a peer, that meets rule
    /// number `rule` of a plan with that seed.
    pub fn new(seed: u64, rule: u32, (direction, protocol): (u32, u8), peer: IpAddr, nth: u64) -> Self {
        let peer = match peer {
            IpAddr::V4(address) => mapped(address.octets()),
            IpAddr::V6(address) => address.octets(),
        };
        let class = FlowClass { peer, protocol, direction, rule, ..FlowClass::zeroed() };
        Self { seed: rule_seed(seed, rule), id: class.flow_id(nth) }
    }

    /// What happens to its first `count` packets.
    pub fn verdicts(&self, netem: &Netem, count: u32) -> Vec<Verdict> {
        let mut state = State::default();
        let next = |_| {
            let (after, verdict) = netem.next(self.seed, self.id, state, true);
            state = after;
            verdict
        };
        (0..count).map(next).collect()
    }

    /// How late packets of those verdicts are, in nanoseconds; `None` for those that do not wait.
    pub fn delays(&self, netem: &Netem, table: Option<&Table>, count: u32) -> Vec<Option<u64>> {
        let late = |verdict: Verdict| {
            let draws = Draws { seed: self.seed, flow: self.id, number: verdict.drawn };
            (verdict.effects & DELAYED != 0).then(|| netem.timing.late(draws, table, false))
        };
        self.verdicts(netem, count).into_iter().map(late).collect()
    }

    /// Which bit of `bytes` bytes is turned in packet `number` (from 1), or in its copy.
    pub fn bit(&self, number: u64, copy: bool, bytes: u32) -> u32 {
        Netem::bit(self.seed, self.id, number, copy, bytes)
    }
}

/// Is it a port that [`Flow`] leaves out?
pub fn is_ephemeral(port: u16) -> bool {
    port >= EPHEMERAL
}
