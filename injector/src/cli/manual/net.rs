//! Rules on packets, in the words of tc-netem(8). docs/rules.md and docs/network.md have the same at more length.

use crate::cli::manual::Section;

pub(super) fn sections() -> Vec<Section> {
    vec![
        Section::new(
            "Rules on packets",
            &[
                "--net 'MATCH : NETEM'. A packet has to meet all words of MATCH, which come in any order. Without any, the \
               `:` may be left out, and all packets are meant that the target sends.",
            ],
            &[],
        ),
        Section::new(
            "Which packets",
            &["`not` in front of a word means packets that do not meet it. Lists have commas and no spaces."],
            &MATCHES,
        ),
        Section::new("What happens", &["netem's words go into one rule together, in any order."], &NETEM),
        Section::new("What stands alone", &[], &ALONE),
        Section::examples(&[
            "injector attach --container web --net 'tcp dport 5432 : delay 200ms' --for 30s",
            "injector attach --unit redis --net 'loss 10%'",
            "injector attach --cgroup /app --net 'to 10.1.0.0/16 : delay 80ms 20ms distribution normal'",
            "injector attach --cgroup /app --net 'tcp dport 5432 : reject rst' --for 10s",
            "injector attach --cgroup /app --net 'dns nxdomain for *.example.com'",
            "injector run --net 'both udp port 53 : loss 30%' -- ./resolver",
        ]),
    ]
}

/// Which packets are meant.
pub(in crate::cli) const MATCHES: [(&str, &str); 15] = [
    ("egress", "what the target sends; the default"),
    ("ingress", "what comes to the target"),
    ("both", "either"),
    ("tcp", "TCP"),
    ("udp", "UDP"),
    ("icmp", "ICMP and ICMPv6"),
    ("to LIST", "the destination is one of these addresses, networks or host names"),
    ("from LIST", "the source is one of these"),
    ("port LIST", "either port is one of these: 80, 80,443, 8000-8080"),
    ("sport LIST", "the source port is"),
    ("dport LIST", "the destination port is"),
    ("length RANGE", "bytes from the IP header on: 40, 100-200, 1000-"),
    ("flags LIST", "one of these flags of TCP is set: fin syn rst psh ack urg ecn cwr"),
    ("flags syn/syn,ack", "of the flags behind the / exactly those before it are set"),
    ("not WORD …", "the packet does not meet that one word, with its value: not port 22"),
];

/// netem's words.
pub(in crate::cli) const NETEM: [(&str, &str); 14] = [
    ("loss P% [CORR%]", "each packet is lost with this probability"),
    ("loss gemodel p% [r% [1-h% [1-k%]]]", "losses in bursts, by Gilbert's and Elliott's two states"),
    ("loss state p13% [p31% [p32% [p23% [p14%]]]]", "the same by four states"),
    ("duplicate P% [CORR%]", "a copy goes before the packet"),
    ("corrupt P% [CORR%] [fixed]", "one bit is turned; fixed: with a checksum that is right"),
    ("delay TIME [JITTER [CORR%]]", "packets are late"),
    ("latency TIME", "the same as delay"),
    ("distribution NAME", "of the jitter: uniform, normal, pareto, paretonormal, or a file"),
    ("ordered", "the jitter lets no packet overtake another of its flow"),
    ("reorder P% [CORR%]", "these are not delayed, and so overtake others"),
    ("gap N", "of N packets at most one overtakes"),
    ("rate RATE", "a wire that takes its time: 1mbit, 125kbps"),
    ("burst SIZE", "what passes a rate at once where the wire was idle before"),
    ("limit PACKETS|SIZE", "how much waits at most, 1000 packets if not given"),
];

/// What no other word may be with.
pub(in crate::cli) const ALONE: [(&str, &str); 7] = [
    ("partition", "nothing passes"),
    ("reject", "the packet is dropped and its sender told, by a reset or by ICMP"),
    ("reject rst", "by a reset of TCP"),
    ("reject icmp [port|host|net|admin]", "by that message"),
    ("connect=ERRNO", "connect(2) fails with this error; no packet is made"),
    ("dns nxdomain|servfail|refused [for NAME,…]", "questions for these names, or any, are answered so"),
    ("dns timeout [for NAME,…]", "they are not answered"),
];
