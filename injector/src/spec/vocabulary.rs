//! Words of the grammar of packets that several of its parts have to know, to tell where one ends.

/// The words that describe packets.
pub(super) const MATCH_WORDS: [&str; 14] = [
    "egress", "ingress", "both", "tcp", "udp", "icmp", "from", "to", "port", "sport", "dport", "length",
    "flags", "not",
];

/// netem's words, and one of our own.
pub(super) const NETEM_WORDS: [&str; 12] = [
    "loss",
    "duplicate",
    "corrupt",
    "delay",
    "latency",
    "distribution",
    "ordered",
    "reorder",
    "gap",
    "rate",
    "burst",
    "limit",
];

/// netem's words that make no sense here, with the reason and what to do.
pub(super) const REFUSED: [(&str, &str, &str); 3] = [
    (
        "slot",
        "lets packets out in bursts, for which a queue has to be opened and shut; ours gives each packet a time",
        "write a `delay` with jitter, or a `rate`",
    ),
    (
        "ecn",
        "marks packets that it would lose, and only where both ends agreed on it, so the loss would not be the \
         one that was asked for",
        "leave it out: what is to be lost is lost",
    ),
    ("seed", "belongs to the whole plan, whose draws it makes repeatable", "give the option --seed"),
];

/// What the faults that stand alone begin with.
pub(super) const ALONE: [&str; 4] = ["partition", "connect=", "reject", "dns"];

/// Does such a fault begin with this word?
fn is_alone(text: &str) -> bool {
    let name = text.split_inclusive('=').next().unwrap_or_default();
    ALONE.contains(&name) || name == "connect"
}

/// Does a NETEM begin with this word, in this version or another?
pub(super) fn is_fault(word: &str) -> bool {
    let refused = || REFUSED.iter().any(|(refused, ..)| *refused == word);
    NETEM_WORDS.contains(&word) || is_alone(word) || refused()
}
