//! Words that people bring along from other tools and from manual pages, and what they are called here. They are too
//! far from ours for [`super::nearest`], or nearer to a wrong one.

/// Names of the C library, and the calls that they end in.
const CALLS: [(&str, &str); 9] = [
    ("pread", "pread64"),
    ("pwrite", "pwrite64"),
    ("recv", "recvfrom or recvmsg"),
    ("select", "pselect6 or poll"),
    ("send", "sendto or sendmsg"),
    ("fstatat", "newfstatat"),
    ("umount", "umount2"),
    ("malloc", "brk or mmap"),
    ("waitpid", "wait4"),
];

/// Words of a rule on system calls.
const WORDS: [(&str, &str); 7] = [
    ("errno", "error="),
    ("file", "path="),
    ("latency", "delay_enter="),
    ("percent", "prob="),
    ("probability", "prob="),
    ("rate", "prob="),
    ("return", "retval="),
];

/// Words of a rule on operations.
const OPERATION_WORDS: [(&str, &str); 6] = [
    ("errno", "error="),
    ("file", "path="),
    ("filename", "path="),
    ("latency", "delay="),
    ("probability", "prob="),
    ("rate", "prob="),
];

/// What describes packets, as tcpdump and nft have it.
const PACKETS: [(&str, &str); 10] = [
    ("!", "not"),
    ("and", "a blank, since all words have to agree"),
    ("&&", "a blank, since all words have to agree"),
    ("daddr", "to"),
    ("dst", "to or dport"),
    ("host", "to or from"),
    ("in", "ingress"),
    ("out", "egress"),
    ("saddr", "from"),
    ("src", "from or sport"),
];

/// What happens to packets.
const IMPAIRMENTS: [(&str, &str); 8] = [
    ("bandwidth", "rate"),
    ("bw", "rate"),
    ("drop", "loss"),
    ("jitter", "delay TIME JITTER"),
    ("latency", "delay"),
    ("refuse", "reject"),
    ("reset", "reject rst"),
    ("rst", "reject rst"),
];

fn of(table: &[(&str, &'static str)], word: &str) -> Option<String> {
    let (_, ours) = table.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(word))?;
    Some((*ours).to_owned())
}

/// The call that a function of the C library makes.
pub(super) fn call(word: &str) -> Option<String> {
    of(&CALLS, word)
}

/// A word of a rule on system calls.
pub(super) fn word(word: &str) -> Option<String> {
    of(&WORDS, word)
}

/// A word of a rule on operations.
pub(super) fn operation_word(word: &str) -> Option<String> {
    of(&OPERATION_WORDS, word)
}

/// A word that describes packets.
pub(super) fn packets(word: &str) -> Option<String> {
    of(&PACKETS, word)
}

/// A word for what happens to packets.
pub(super) fn impairment(word: &str) -> Option<String> {
    of(&IMPAIRMENTS, word)
}

#[cfg(test)]
mod tests {
    use super::CALLS;
    use crate::syscalls::{self, Machine};

    #[test]
    fn no_name_is_a_call_on_every_machine() {
        let known = |machine, name| syscalls::all(machine).any(|entry| entry.name == name);
        for (name, ours) in CALLS {
            let all = [Machine::X86_64, Machine::Arm64].into_iter().all(|machine| known(machine, name));
            assert!(!all, "{name} is never asked back as {ours}");
        }
    }
}
