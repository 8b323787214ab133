//! What the programs tell of their decisions to whoever debugs them, by aya-log: each match, and what it came to.
//!
//! An ordinary object has nothing of it: the feature `log` is for `cargo xtask build --bpf-log`.

#[cfg(feature = "log")]
use aya_log_ebpf::{debug, trace};
use injector_common::{
    counters::Reason,
    decide::{Decision, Match},
    packet::Packet,
};

use crate::task::Call;

/// Tells what a match of rule number `rule` came to, a call or an operation in it.
#[inline(always)]
pub fn call<T>(call: &Call, rule: u32, at: Match, decision: &Decision<T>) {
    tell_call(rule, at.number, call.number, at.subject, outcome(decision));
}

/// Tells what a match of rule number `rule` came to, a packet.
#[inline(always)]
pub fn packet<T>(packet: &Packet, rule: u32, at: Match, decision: &Decision<T>) {
    tell_packet(rule, at.number, packet.length, packet.ifindex, outcome(decision));
}

/// Tells what a match of rule number `rule` came to, a connection.
#[inline(always)]
pub fn connection<T>(peer: &Packet, rule: u32, at: Match, decision: &Decision<T>) {
    let (port, protocol) = (u32::from(peer.destination_port), u32::from(peer.protocol));
    tell_connection(rule, at.number, port, protocol, outcome(decision));
}

/// What [`outcome`] gives for a fault.
const FIRES: u32 = u32::MAX;

/// A decision as one number: its reason's, or [`FIRES`].
#[inline(always)]
fn outcome<T>(decision: &Decision<T>) -> u32 {
    match decision {
        Decision::Fires(_) => FIRES,
        Decision::Monitored(_) => Reason::Monitored as u32,
        Decision::Suppressed(reason) => *reason as u32,
    }
}

/// A function that tells of a match by its numbers. It is global where it does anything, so that the verifier goes
/// through it once, and not again with every state of a program that calls it; as such it has to return a number.
///
/// Each word is a constant in a message of its own: a table of them would be pointers, which nobody relocates.
macro_rules! teller {
    ($name:ident, $first:ident: $first_type:ty, $second:ident: $second_type:ty) => {
        teller!($name, $first: $first_type, $second: $second_type;
            When "when", Probability "prob", Overruled "overruled", Times "times", Expired "expired",
            Monitored "monitored", NoCounter "no-counter", NoDelayLine "no-delay-line",
            CannotAnswer "cannot-answer", Paused "paused");
    };
    ($name:ident, $first:ident: $first_type:ty, $second:ident: $second_type:ty; $($reason:ident $word:literal),+) => {
        #[cfg_attr(feature = "log", unsafe(no_mangle), inline(never))]
        #[cfg_attr(not(feature = "log"), inline(always))]
        extern "C" fn $name(
            rule: u32,
            number: u64,
            $first: $first_type,
            $second: $second_type,
            outcome: u32,
        ) -> u32 {
            #[cfg(feature = "log")]
            if outcome == FIRES {
                debug!((), "rule {}, match {}: {} {}, {} {}: fires",
                    rule, number, stringify!($first), $first, stringify!($second), $second);
            }
            $(#[cfg(feature = "log")]
            if outcome == Reason::$reason as u32 {
                trace!((), "rule {}, match {}: {} {}, {} {}: {}",
                    rule, number, stringify!($first), $first, stringify!($second), $second, $word);
            })+
            #[cfg(not(feature = "log"))]
            let _ = (number, $first, $second, outcome);
            rule
        }
    };
}

teller!(tell_call, call: u32, position: u64);
teller!(tell_packet, bytes: u32, device: u32);
teller!(tell_connection, port: u32, protocol: u32);
