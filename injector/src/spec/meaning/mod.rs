//! What a rule means, as a sentence: for whoever wrote it and wants to know whether it says what was meant.

mod call;
mod net;
mod operation;
mod process;
#[cfg(test)]
mod tests;
mod trigger;

use crate::spec::{
    comm::Comm,
    delay::Delay,
    errno::Errno,
    model::{Rule, RuleKind},
    netem::Distribution,
    object::{Objects, Paths},
    user_space::UserSpaceRule,
};

impl Rule {
    /// What it means, as an English sentence without the full stop.
    pub fn meaning(&self) -> String {
        match &self.kind {
            RuleKind::Syscall(rule) => call::meaning(rule),
            RuleKind::Net(rule) => net::meaning(rule),
            RuleKind::Operation(rule) => operation::meaning(rule),
            RuleKind::UserSpace(UserSpaceRule::Process(rule)) => process::meaning(rule),
        }
    }
}

/// `a, b or c`.
fn either(words: &[impl AsRef<str>]) -> String {
    joined(words, "or")
}

/// `a, b and c`.
fn all(words: &[impl AsRef<str>]) -> String {
    joined(words, "and")
}

fn joined(words: &[impl AsRef<str>], last: &str) -> String {
    match words {
        [] => String::new(),
        [word] => word.as_ref().to_owned(),
        [first @ .., end] => {
            let first: Vec<_> = first.iter().map(AsRef::as_ref).collect();
            format!("{} {last} {}", first.join(", "), end.as_ref())
        }
    }
}

/// ` on a file that matches …`, ` on a socket …` and the like; empty for any.
fn about(objects: &Objects) -> String {
    let patterns: Vec<_> = objects.paths.iter().flat_map(Paths::patterns).collect();
    let file = (!patterns.is_empty()).then(|| format!(" on a file that matches {}", either(&patterns)));
    let socket = objects.of_sockets().then(|| " on a socket".to_owned());
    let peer = objects.peer.map(|peer| format!(" whose peer is in {}", crate::spec::address::shown(peer)));
    let range = |range: &std::ops::RangeInclusive<u16>| match (range.start(), range.end()) {
        (low, high) if low == high => low.to_string(),
        (low, high) => format!("{low}-{high}"),
    };
    let ports: Vec<_> = objects.ports.iter().map(range).collect();
    let ports = (!ports.is_empty()).then(|| format!(" with port {} at either end", either(&ports)));
    [file, socket, peer, ports].into_iter().flatten().collect()
}

/// ` by a thread named …`; empty for any.
fn by(comm: Option<&Comm>) -> String {
    comm.map(|comm| format!(" by a thread named {comm}")).unwrap_or_default()
}

/// `EIO`, or one of several with their shares.
fn with_errors(errors: &[(Errno, u32)]) -> String {
    if let [(errno, _)] = errors {
        return errno.to_string();
    }
    let total: u32 = errors.iter().map(|(_, weight)| weight).sum();
    let part = |(errno, weight): &(Errno, u32)| format!("{errno} ({weight} in {total})");
    either(&errors.iter().map(part).collect::<Vec<_>>())
}

/// `waits for 20ms`, with its jitter.
fn waits(delay: Delay, distribution: &Distribution) -> String {
    match (delay, distribution) {
        (Delay::Forever, _) => "waits until the rule ends".into(),
        (Delay::For { jitter, .. }, _) if jitter.is_zero() => format!("waits for {delay}"),
        (Delay::For { .. }, Distribution::File(path)) => {
            format!("waits for {delay}, spread as {} says", path.display())
        }
        (Delay::For { .. }, named) => {
            format!("waits for {delay} ({})", named.name().unwrap_or("uniform"))
        }
    }
}
