//! What a rule on packets means.

use injector_common::packet as bits;

use crate::spec::{
    dns::{Answer, Dns},
    meaning::{all, either},
    netem::{Distribution, Loss, Netem},
    packet::{Chosen, Direction, NetFault, NetRule, Protocol, Reject},
    quantity::{show_rate, show_size, show_time},
};

pub(super) fn meaning(rule: &NetRule) -> String {
    let which = conditions(rule);
    let packet = || format!("{} {}{which}", packet(rule.protocol), way(rule.direction));
    match &rule.fault {
        NetFault::Netem(netem) => format!("{} {}", packet(), all(&impairments(netem))),
        NetFault::Partition => format!("{} never arrives", packet()),
        NetFault::Reject(how) => format!("{} is dropped, and its sender is told by {}", packet(), told(*how)),
        NetFault::Connect(error) => {
            format!("connect(2){which} fails with {error}, and no packet is made")
        }
        NetFault::Dns(dns) => format!("a question{which} for {} {}", names(dns), answered(dns.answer)),
    }
}

fn packet(protocol: Protocol) -> String {
    match protocol {
        Protocol::Any => "a packet".into(),
        Protocol::TcpOrUdp => "a TCP or UDP packet".into(),
        Protocol::Tcp => "a TCP packet".into(),
        Protocol::Udp => "a UDP packet".into(),
        Protocol::Icmp => "an ICMP packet".into(),
        Protocol::Except(excluded) => {
            let known = [(bits::TCP, "TCP"), (bits::UDP, "UDP"), (bits::ICMP, "ICMP")];
            let names: Vec<_> =
                known.iter().filter(|(bit, _)| excluded & bit != 0).map(|(_, name)| *name).collect();
            format!("a packet, not of {},", either(&names))
        }
    }
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Egress => "that the target sends",
        Direction::Ingress => "that comes to the target",
        Direction::Both => "that the target sends or gets",
    }
}

fn conditions(rule: &NetRule) -> String {
    [
        chosen("from", &rule.from),
        chosen("to", &rule.to),
        chosen("from port", &rule.ports.source),
        chosen("to port", &rule.ports.destination),
        chosen("with either port", &rule.ports.either),
        chosen("with a length of", &rule.length),
        chosen("with the flags", &rule.flags),
    ]
    .concat()
}

fn chosen<T: std::fmt::Display>(words: &str, chosen: &Chosen<T>) -> String {
    let only = chosen.only.as_ref().map(|only| format!(" {words} {only}"));
    let not = chosen.not.as_ref().map(|not| format!(" not {words} {not}"));
    [only, not].into_iter().flatten().collect()
}

/// In the order in which they come to a packet.
fn impairments(netem: &Netem) -> Vec<String> {
    let loss = netem.loss.as_ref().map(|loss| match loss {
        Loss::Random(chance) => format!("is lost with a probability of {}", chance.probability),
        Loss::Gemodel { .. } | Loss::State { .. } => format!("is lost in bursts ({loss})"),
    });
    let duplicate =
        netem.duplicate.map(|chance| format!("comes twice with a probability of {}", chance.probability));
    let corrupt = netem.corrupt.map(|corrupt| {
        let seen = if corrupt.fixed { "unnoticed, " } else { "" };
        format!("is damaged {seen}with a probability of {}", corrupt.chance.probability)
    });
    let delay = netem.delay.as_ref().map(|delay| {
        let middle = show_time(delay.time);
        let spread = match (&delay.distribution, delay.jitter) {
            (_, 0) => String::new(),
            (Distribution::Uniform, jitter) => format!(", give or take {},", show_time(jitter)),
            (named, jitter) => {
                format!(", give or take {} ({})", show_time(jitter), named.name().unwrap_or("by a file"))
            }
        };
        format!("comes {middle}{spread} late")
    });
    let reorder = netem
        .reorder
        .map(|reorder| format!("overtakes others with a probability of {}", reorder.chance.probability));
    let rate = netem.rate.map(|rate| {
        let burst =
            if rate.burst == 0 { String::new() } else { format!(" after {} at once", show_size(rate.burst)) };
        format!("goes over a wire of {}{burst}", show_rate(rate.bits))
    });
    let limit = netem.limit.map(|limit| {
        let most = limit.to_string();
        format!("is lost where {} wait already", most.trim_start_matches("limit "))
    });
    [loss, duplicate, corrupt, delay, reorder, rate, limit].into_iter().flatten().collect()
}

fn told(how: Reject) -> String {
    match how {
        Reject::ByProtocol => "a reset (TCP) or ICMP's \"port unreachable\"".into(),
        Reject::Reset => "a reset".into(),
        Reject::Unreachable(what) => format!("ICMP ({})", what.word()),
    }
}

fn names(dns: &Dns) -> String {
    if dns.names.is_empty() { "any name".into() } else { either(&dns.names) }
}

fn answered(answer: Answer) -> String {
    match answer {
        Answer::Timeout => "gets no answer".into(),
        Answer::NxDomain | Answer::ServFail | Answer::Refused => {
            format!("is answered with {}", answer.word().to_uppercase())
        }
    }
}
