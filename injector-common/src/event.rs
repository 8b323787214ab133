//! One event per injection, as it crosses the ring buffer. The log is an API: a field is never
//! reused, and a change of meaning is a new [`SCHEMA`].

use bytemuck::{Pod, Zeroable};

use crate::{
    code::{BackendCode, FaultCode, MomentCode},
    object::Socket,
    packet::Packet,
};

/// The version of this layout and of the log made from it.
pub const SCHEMA: u32 = 1;

/// One injection.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Event {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The rule's number in the plan, from 0.
    pub rule: u32,
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub time: u64,
    /// The plan.
    pub plan: u64,
    /// The process, as the initial pid namespace numbers it; 0 for packets.
    pub pid: u32,
    /// The thread, as the initial pid namespace numbers it; 0 for packets.
    pub tid: u32,
    /// The process, as its own pid namespace numbers it; 0 for packets.
    pub ns_pid: u32,
    /// The thread, as its own pid namespace numbers it; 0 for packets.
    pub ns_tid: u32,
    /// The thread's name, padded with zeroes; empty for packets.
    pub comm: [u8; 16],
    /// The task's or the packet's cgroup.
    pub cgroup: u64,
    /// Which mechanism acted.
    pub backend: BackendCode,
    /// 0 native, 1 compat, 3 for no call at all (see [`crate::call`]).
    pub abi: u32,
    /// The system call's number in its ABI, with the x32 bit where it is one.
    pub call: u32,
    /// A signal that the thread was sent, or 0.
    pub signal: u32,
    /// The number of the decision, as `when=` counts it.
    pub decision: u64,
    /// The thread's position in the process tree, or the packet's flow.
    pub subject: u64,
    /// What the call returned by this rule; 0 for packets.
    pub value: i64,
    /// What it had come to by itself, if it has run.
    pub outcome: i64,
    /// [`crate::rule::Rule::fault`].
    pub fault: FaultCode,
    /// [`crate::rule::Rule::moment`].
    pub moment: MomentCode,
    /// The operation's number in user space's table, from 1; 0 for what is none.
    pub operation: u32,
    /// Explicit padding.
    pub _pad: u32,
    /// The call's arguments as the caller passed them.
    pub args: [u64; 6],
    /// How long the thread is to wait before the call, as it was drawn, see [`crate::sleep`].
    pub delay_enter: u64,
    /// The same when the call has run.
    pub delay_exit: u64,
    /// The packet, all zero for calls. For a connection that is refused, its peer.
    pub packet: Packet,
}

const _: () = assert!(size_of::<Event>() == 56 + 24 + 48 + 48 + 16 + size_of::<Packet>());

/// Bytes of a path that an event tells.
pub const PATH_TAIL: usize = 256;

/// A call or an operation whose rule asks what it is about: what every event tells, and that.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct ObjectEvent {
    /// All else.
    pub event: Event,
    /// The socket, all zero for other objects.
    pub socket: Socket,
    /// Bytes of the path; 0 for what has none.
    pub path_length: u32,
    /// Explicit padding.
    pub _pad: u32,
    /// The end of the path, at the end of this field.
    pub path: [u8; PATH_TAIL],
}

const _: () = assert!(size_of::<ObjectEvent>() == size_of::<Event>() + size_of::<Socket>() + 8 + PATH_TAIL);
