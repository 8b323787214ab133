//! What `injector doctor` says about delays: which calls, how precisely, how many at once.

use std::{collections::BTreeSet, thread};

use injector::{
    clock,
    kernel::{
        bpf::btf::KernelBtf,
        sleep::{self, Lateness},
        syscall::{delay::MOST, delay_hook::CallDelayHook},
    },
    plan::{
        MAX_CALL_DELAY,
        backend::{Backend, Verdicts, Wait},
    },
    syscalls::{self, Abi, Machine},
};
use injector_common::sleep::{SHORTEST_NS, SLEEP_SLOTS};
use serde::Serialize;

/// Which calls this kernel can delay, how precisely, and how many at once.
#[derive(Debug, Default, Serialize)]
pub(super) struct Delays {
    /// Which calls can be delayed before they run.
    calls: Calls,
    /// Can they be delayed when they have run?
    at_exit: bool,
    /// No delay can be shorter than this.
    shortest_ns: u64,
    /// Or longer, if nothing else is said.
    longest_ns: u64,
    /// How much longer than asked for a thread slept, half the times it was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    late_ns: Option<u64>,
    /// At worst.
    #[serde(skip_serializing_if = "Option::is_none")]
    most_late_ns: Option<u64>,
    /// How many threads can be delayed at once in one call, at both ends together; `None` where no call can.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_once: Option<u64>,
    /// Why it is not known how late they wake up.
    #[serde(skip_serializing_if = "Option::is_none")]
    untried: Option<String>,
}

/// Calls that can be delayed.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
enum Calls {
    #[default]
    None,
    /// Any.
    Any,
    /// These, at security hooks.
    Some(BTreeSet<&'static str>),
}

impl Delays {
    /// Tries it. `anywhere` says whether calls can be delayed at their own functions, `at_hooks` whether they can
    /// at security hooks.
    pub(super) fn find(btf: Option<&KernelBtf>, anywhere: bool, at_hooks: bool) -> Self {
        let calls = match btf {
            _ if anywhere => Calls::Any,
            Some(btf) if at_hooks => Calls::Some(at_security_hooks(btf)),
            _ => return Self::default(),
        };
        let processors = thread::available_parallelism().map_or(1, |count| count.get() as u64);
        let at_once = if anywhere { MOST as u64 * processors } else { SLEEP_SLOTS.into() };
        let found = Self {
            calls,
            at_exit: anywhere,
            shortest_ns: SHORTEST_NS,
            longest_ns: clock::nanoseconds(MAX_CALL_DELAY),
            at_once: Some(at_once.min(SLEEP_SLOTS.into())),
            ..Self::default()
        };
        match sleep::lateness() {
            Ok(Lateness { median, most }) => Self {
                late_ns: Some(clock::nanoseconds(median)),
                most_late_ns: Some(clock::nanoseconds(most)),
                ..found
            },
            Err(error) => Self { untried: Some(error.to_string()), ..found },
        }
    }

    /// For a person.
    pub(super) fn lines(&self) -> Vec<String> {
        let which = match &self.calls {
            Calls::None => return Vec::new(),
            Calls::Any => "any, before and behind it".to_owned(),
            Calls::Some(names) => names.iter().copied().collect::<Vec<_>>().join(" "),
        };
        let mut lines = vec![
            format!("calls for delay_enter=: {which}"),
            format!(
                "     from {} us (a thread needs that long to fall asleep and wake up) to {} s, or --max-call-delay",
                self.shortest_ns / 1000,
                self.longest_ns / 1_000_000_000
            ),
        ];
        let milliseconds =
            |ns: u64| format!("{:.2} ms", std::time::Duration::from_nanos(ns).as_secs_f64() * 1e3);
        if let (Some(late), Some(most)) = (self.late_ns, self.most_late_ns) {
            let (late, most) = (milliseconds(late), milliseconds(most));
            lines.push(format!("     never early, and late by {late}, at worst {most} (tried just now)"));
        }
        lines
            .extend(self.untried.iter().map(|why| format!("     how late they wake up is not known: {why}")));
        lines.extend(self.at_once.map(|count| format!("     at once in one call: up to {count} threads")));
        lines
    }
}

/// Calls of this machine's own ABI at whose hook a thread may sleep.
fn at_security_hooks(btf: &KernelBtf) -> BTreeSet<&'static str> {
    let delays = CallDelayHook::new(btf);
    delays.assume();
    let native = match Machine::HOST {
        Machine::X86_64 => Abi::X86_64,
        Machine::Arm64 => Abi::Arm64,
    };
    // Any error that a hook may return would do: it is not looked at.
    let wanted = Verdicts { wait: Wait::Before, ..Verdicts::default() };
    let calls = syscalls::all(Machine::HOST).filter(|entry| entry.call.abi == native);
    calls.filter(|entry| delays.sites(entry, wanted).is_ok()).map(|entry| entry.name).collect()
}
