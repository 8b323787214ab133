//! Words that people bring along from other tools and from manual pages, and what they are called here. They are too
//! far from ours for [`super::nearest`], or nearer to a wrong one.

use std::borrow::Cow;

use crate::spec::nearest::Near;

type Table = [(&'static str, Near)];

const fn word(ours: &'static str) -> Near {
    Near::Word(Cow::Borrowed(ours))
}

const fn hint(ours: &'static str) -> Near {
    Near::Otherwise(Cow::Borrowed(ours))
}

/// Functions of the C library, and the calls that they end in.
const CALLS: &Table = &[
    ("pread", word("pread64")),
    ("pwrite", word("pwrite64")),
    ("recv", hint("`recv` is a function of the C library: name the calls, `recvfrom,recvmsg`")),
    ("select", word("pselect6")),
    ("send", hint("`send` is a function of the C library: name the calls, `sendto,sendmsg`")),
    ("fstatat", word("newfstatat")),
    ("umount", word("umount2")),
    (
        "malloc",
        hint("`malloc` is a function of the C library, which gets its memory by the calls `brk,mmap`"),
    ),
    ("waitpid", word("wait4")),
];

const AFTER: Near = hint("write `when=4+` where the first three are to pass");
const EVERY: Near = hint("write `when=3+3` for every third match");
const FOR: Near = hint("give the option `--for TIME`: it belongs to the whole plan");
const PID: Near = hint("name the process by the option `--pid PID` of `injector attach`");
const SEED: Near = hint("give the option `--seed N`: it belongs to the whole plan");

/// Words of a rule on system calls.
const WORDS: &Table = &[
    ("after", AFTER),
    (
        "delay",
        hint("write `delay_enter=10ms` for a delay before the call, `delay_exit=10ms` for one after it"),
    ),
    ("duration", FOR),
    ("errno", word("error=")),
    ("every", EVERY),
    ("file", word("path=")),
    ("for", FOR),
    ("host", word("peer=")),
    ("ip", word("peer=")),
    ("latency", word("delay_enter=")),
    ("p", word("prob=")),
    ("percent", word("prob=")),
    ("pid", PID),
    ("probability", word("prob=")),
    ("rate", word("prob=")),
    ("return", word("retval=")),
    ("seed", SEED),
    ("skip", AFTER),
];

/// Words of a rule on operations.
const OPERATION_WORDS: &Table = &[
    ("after", AFTER),
    ("duration", FOR),
    ("errno", word("error=")),
    ("every", EVERY),
    ("file", word("path=")),
    ("filename", word("path=")),
    ("for", FOR),
    ("host", word("peer=")),
    ("ip", word("peer=")),
    ("latency", word("delay=")),
    ("p", word("prob=")),
    ("pid", PID),
    ("probability", word("prob=")),
    ("rate", word("prob=")),
    ("seed", SEED),
    ("skip", AFTER),
];

/// What happens to processes, as kill(1), systemctl(1) and docker(1) have it.
const PROCESS_ACTIONS: &Table = &[
    ("freeze", word("pause")),
    ("hang", word("pause")),
    ("sigkill", word("kill SIGKILL")),
    ("sigstop", word("pause")),
    ("sigterm", word("kill SIGTERM")),
    ("signal", hint("write `kill SIGNAL`, such as `kill SIGHUP`")),
    ("stop", hint("write `pause`, or `kill SIGTERM` for an end")),
    ("suspend", word("pause")),
    ("terminate", word("kill SIGTERM")),
];

/// Words of a rule on processes.
const PROCESS_WORDS: &Table = &[
    ("count", word("times=")),
    ("duration", word("for=")),
    ("interval", word("every=")),
    ("name", word("comm=")),
    ("period", word("every=")),
    ("probability", word("prob=")),
    ("signal", hint("write it behind `kill`, as in `kill SIGTERM`")),
];

const TOGETHER: Near = hint("leave it out: a packet has to meet all words of a rule anyway");
const EITHER: Near =
    hint("write a second `--net` rule; within a list, as in `port 80,443`, one match is enough");

/// What describes packets, as tcpdump and nft have it.
const PACKETS: &Table = &[
    ("!", word("not")),
    ("and", TOGETHER),
    ("&&", TOGETHER),
    ("or", EITHER),
    ("||", EITHER),
    ("daddr", word("to")),
    ("dst", hint("write `to ADDRESS` or `dport PORT`")),
    ("host", hint("write `to ADDRESS` or `from ADDRESS`")),
    ("in", word("ingress")),
    ("inbound", word("ingress")),
    ("incoming", word("ingress")),
    ("net", hint("write `to NETWORK` or `from NETWORK`")),
    ("out", word("egress")),
    ("outbound", word("egress")),
    ("outgoing", word("egress")),
    ("saddr", word("from")),
    ("src", hint("write `from ADDRESS` or `sport PORT`")),
];

/// What happens to packets.
const IMPAIRMENTS: &Table = &[
    ("bandwidth", word("rate")),
    ("blackhole", word("partition")),
    ("block", word("partition")),
    ("bw", word("rate")),
    ("drop", word("loss")),
    ("dup", word("duplicate")),
    ("jitter", hint("write it as the second time of a delay, as in `delay 100ms 20ms`")),
    ("latency", word("delay")),
    ("nxdomain", hint("write `dns nxdomain for NAME`, in a rule of its own")),
    ("prob", hint("write how many packets are meant behind the word, as in `loss 10%`")),
    ("refuse", word("reject")),
    ("refused", hint("write `reject` for packets, `dns refused` for names")),
    ("reset", word("reject rst")),
    ("rst", word("reject rst")),
    ("servfail", hint("write `dns servfail`, in a rule of its own")),
    (
        "timeout",
        hint("write `partition` for packets, `connect=ETIMEDOUT` for connections, `dns timeout` for names"),
    ),
    ("times", COUNTED),
    ("when", COUNTED),
];

const COUNTED: Near = hint(
    "packets are not counted like calls; for connections write `-e inject=connect:error=ECONNREFUSED:when=4+`",
);

fn of(table: &Table, word: &str) -> Option<Near> {
    table.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(word)).map(|(_, ours)| ours.clone())
}

/// A system call as the shell, the kernel and its headers would have it.
pub(super) fn call_written_otherwise(text: &str, known: impl Fn(&str) -> bool) -> Option<Near> {
    const PREFIXES: [&str; 5] = ["__x64_sys_", "__arm64_sys_", "__NR_", "SYS_", "sys_"];
    if text.contains(char::is_whitespace) {
        let list: Vec<_> = text.split_whitespace().map(|name| name.trim_matches(',')).collect();
        return Some(Near::Otherwise(format!("write the list with commas: `{}`", list.join(",")).into()));
    }
    match text.strip_suffix('*') {
        Some("") => return Some(word("all")),
        Some(start) if start.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => {
            return Some(Near::Otherwise(format!("write `/^{start}` for all that begin so").into()));
        }
        _ => {}
    }
    let name = PREFIXES.into_iter().find_map(|prefix| text.strip_prefix(prefix))?;
    known(name).then(|| name.to_owned().into())
}

/// The call that a function of the C library makes.
pub(super) fn call(word: &str) -> Option<Near> {
    of(CALLS, word)
}

/// A word of a rule on system calls.
pub(super) fn call_word(word: &str) -> Option<Near> {
    of(WORDS, word)
}

/// A word of a rule on operations.
pub(super) fn operation_word(word: &str) -> Option<Near> {
    of(OPERATION_WORDS, word)
}

/// What happens to processes.
pub(super) fn process_action(word: &str) -> Option<Near> {
    of(PROCESS_ACTIONS, word)
}

/// A word of a rule on processes.
pub(super) fn process_word(word: &str) -> Option<Near> {
    of(PROCESS_WORDS, word)
}

/// A word that describes packets.
pub(super) fn packets(word: &str) -> Option<Near> {
    of(PACKETS, word)
}

/// A word for what happens to packets.
pub(super) fn impairment(word: &str) -> Option<Near> {
    of(IMPAIRMENTS, word)
}

#[cfg(test)]
mod tests {
    use super::CALLS;
    use crate::syscalls::{self, Machine};

    #[test]
    fn no_name_is_a_call_on_every_machine() {
        let known = |machine, name| syscalls::all(machine).any(|entry| entry.name == name);
        for &(name, ref ours) in CALLS {
            let all = [Machine::X86_64, Machine::Arm64].into_iter().all(|machine| known(machine, name));
            assert!(!all, "{name} is never asked back as {ours:?}");
        }
    }
}
