//! What every rule counts: matches, faults, and why a match was no fault. The proof that a fault
//! happened, and the explanation where none did.

use crate::cell::Cell;

/// Why a rule that matched did not fire. The order is the layout of [`Counters::suppressed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Reason {
    /// `when=` does not name this match.
    When = 0,
    /// The draw was not below the probability.
    Probability = 1,
    /// An earlier rule had decided.
    Overruled = 2,
    /// `times=` is used up.
    Times = 3,
    /// The deadline or the lease has passed, or the plan was stopped.
    Expired = 4,
    /// `--monitor`: it would have fired.
    Monitored = 5,
    /// There is no counter for the thread or the flow (no memory, or too many updates at the same time).
    NoCounter = 6,
    /// The packet could not be sent through the delay line.
    NoDelayLine = 7,
    /// The packet is of a shape for which no answer can be made here.
    CannotAnswer = 8,
    /// The rule is switched off (`injector pause`).
    Paused = 9,
}

/// How many reasons there are.
pub const REASONS: usize = 10;

/// The word for a fault that a plan which only monitors leaves out.
pub const MONITORED: &str = "monitored";

/// Every reason with the word that the table and the log use for it.
pub const REASON_NAMES: [(Reason, &str); REASONS] = [
    (Reason::When, "when"),
    (Reason::Probability, "prob"),
    (Reason::Overruled, "overruled"),
    (Reason::Times, "times"),
    (Reason::Expired, "expired"),
    (Reason::Monitored, MONITORED),
    (Reason::NoCounter, "no-counter"),
    (Reason::NoDelayLine, "no-delay-line"),
    (Reason::CannotAnswer, "cannot-answer"),
    (Reason::Paused, "paused"),
];

/// What a rule on packets counts besides: bytes, and each effect by itself, since one packet can meet several.
#[repr(C)]
#[cfg_attr(
    not(target_arch = "bpf"),
    derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)
)]
pub struct Traffic {
    /// Bytes of the packets that the rule means, from the IP header on.
    pub bytes: Cell,
    /// Packets that were dropped.
    pub dropped: Cell,
    /// Packets that went out twice.
    pub duplicated: Cell,
    /// Packets, or copies of them, with a bit that was turned.
    pub corrupted: Cell,
    /// Packets that waited.
    pub delayed: Cell,
    /// Packets that overtook those that wait.
    pub reordered: Cell,
    /// Packets that were dropped since too many waited; [`Self::dropped`] has them, too.
    pub overflowed: Cell,
    /// Packets that were answered in the name of whom they were for.
    pub answered: Cell,
}

/// The counters of one rule. Atomic on the kernel side, plain numbers where they are read. Other injectors read them, too
/// (`injector ps`): another layout needs another [`crate::plan::SCHEMA`].
///
/// `matched == fired + suppressed.sum()` whenever no match is under way.
#[repr(C)]
#[cfg_attr(
    not(target_arch = "bpf"),
    derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)
)]
pub struct Counters {
    /// Calls or packets that the rule means.
    pub matched: Cell,
    /// Faults that happened.
    pub fired: Cell,
    /// Matches that were no fault, by [`Reason`].
    pub suppressed: [Cell; REASONS],
    /// Tickets drawn from `times=`; may exceed it.
    pub tickets: Cell,
}

const _: () = assert!(size_of::<Counters>() == (3 + REASONS) * 8);
