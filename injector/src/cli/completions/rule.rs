//! Rules, word by word: what may stand next, from the tables of the manual and from those of calls, errnos and signals.

use std::{collections::BTreeSet, ffi::OsStr};

use clap_complete::engine::CompletionCandidate;
use injector::{
    operations,
    spec::{errno, signal},
    syscalls::{self, Machine},
};

use crate::cli::manual::{io, net, rules};

/// What may stand next: a text, and a line on it.
type Next = (String, String);

/// The words that begin a rule of `-e`.
const QUALIFIERS: [(&str, &str); 5] = [
    ("inject=", "system calls"),
    ("fault=", "system calls that fail"),
    ("io=", "operations"),
    ("net=", "packets"),
    ("process=", "processes"),
];

/// Rules as `-e` takes them.
pub(in crate::cli) fn expressions(given: &OsStr) -> Vec<CompletionCandidate> {
    complete(given, |text| {
        let Some((qualifier, rest)) = text.split_once('=') else {
            return (0, entries(&QUALIFIERS));
        };
        let (start, next) = match qualifier {
            "inject" | "fault" => of_calls(rest),
            "io" => of_operations(rest),
            "net" => of_packets(rest),
            "process" => of_processes(rest),
            _ => (0, Vec::new()),
        };
        (qualifier.len() + 1 + start, next)
    })
}

/// Rules as `--syscall` takes them.
pub(in crate::cli) fn syscalls(given: &OsStr) -> Vec<CompletionCandidate> {
    complete(given, of_calls)
}

/// Rules as `--net` takes them.
pub(in crate::cli) fn packets(given: &OsStr) -> Vec<CompletionCandidate> {
    complete(given, of_packets)
}

/// Rules as `--io` takes them.
pub(in crate::cli) fn operations(given: &OsStr) -> Vec<CompletionCandidate> {
    complete(given, of_operations)
}

/// Rules as `--process` takes them.
pub(in crate::cli) fn actions_on_processes(given: &OsStr) -> Vec<CompletionCandidate> {
    complete(given, of_processes)
}

/// `next` says where the last piece of a text begins, and all that it may be.
fn complete(given: &OsStr, next: impl Fn(&str) -> (usize, Vec<Next>)) -> Vec<CompletionCandidate> {
    let Some(text) = given.to_str() else { return Vec::new() };
    let (start, all) = next(text);
    let (kept, piece) = text.split_at(start);
    let fitting = all.into_iter().filter(|(word, _)| word.starts_with(piece) && word != piece);
    let candidate = |(word, help): Next| {
        let help = (!help.is_empty()).then(|| help.into());
        CompletionCandidate::new(format!("{kept}{word}")).help(help)
    };
    fitting.map(candidate).collect()
}

fn of_calls(text: &str) -> (usize, Vec<Next>) {
    let words = || [&rules::EFFECTS[..], &rules::FILTERS, &rules::TRIGGERS].concat();
    let names = || {
        let names: BTreeSet<_> = syscalls::all(Machine::HOST)
            .filter(|entry| entry.is_implemented())
            .map(|entry| entry.name.to_owned())
            .collect();
        let classes = syscalls::classes().into_iter().map(|class| format!("%{class}"));
        bare(names.into_iter().chain(classes))
    };
    of_actions(text, names, words)
}

fn of_operations(text: &str) -> (usize, Vec<Next>) {
    let words = || [&io::EFFECTS[..], &io::FILTERS, &rules::TRIGGERS].concat();
    let names = || {
        let known = operations::TABLE.iter();
        known.map(|operation| (operation.name.to_owned(), operation.covers.to_owned())).collect()
    };
    of_actions(text, names, words)
}

/// A list of names, and behind a colon words with values.
fn of_actions(
    text: &str,
    names: impl Fn() -> Vec<Next>,
    words: impl Fn() -> Vec<(&'static str, &'static str)>,
) -> (usize, Vec<Next>) {
    let Some(colon) = text.rfind(':') else {
        return (behind(text, &[',', '!', '?']), names());
    };
    let word = &text[colon + 1..];
    match word.split_once('=') {
        None => (colon + 1, beginnings(&words())),
        Some((name, value)) => (text.len() - value.len() + behind(value, &['/']), values(name)),
    }
}

fn of_processes(text: &str) -> (usize, Vec<Next>) {
    if let Some(signal) = text.strip_prefix("kill ").filter(|rest| !rest.contains(':')) {
        return (text.len() - signal.len(), bare(signal::names()));
    }
    let Some(colon) = text.rfind(':') else {
        return (0, entries(&[("pause", "all stand still"), ("kill ", "each gets a signal")]));
    };
    let words = [&rules::PROCESSES[..], &rules::TRIGGERS].concat();
    (colon + 1, beginnings(&words))
}

fn of_packets(text: &str) -> (usize, Vec<Next>) {
    let start = behind(text, &[' ']);
    let (before, word) = text.split_at(start);
    if let Some(errno) = word.strip_prefix("connect=") {
        return (text.len() - errno.len(), bare(errno::names()));
    }
    let chosen = before.contains(':');
    let next = match before.split_whitespace().next_back() {
        Some("distribution") => values("distribution"),
        Some("dns") => bare(["nxdomain", "servfail", "refused", "timeout"]),
        Some("reject") => bare(["rst", "icmp"]),
        _ => {
            let matches = if chosen { &[][..] } else { &net::MATCHES };
            let faults =
                if chosen || before.is_empty() { [&net::NETEM[..], &net::ALONE].concat() } else { vec![] };
            let colon = (!chosen && !before.is_empty()).then_some((":", "what happens comes behind it"));
            let all = [matches, &faults, colon.as_slice()].concat();
            let first = |&(written, means): &(&str, &str)| {
                let end = written.find([' ', '=']).unwrap_or(written.len());
                let end = if written[end..].starts_with('=') { end + 1 } else { end };
                (written[..end].to_owned(), means.to_owned())
            };
            once_each(all.iter().map(first))
        }
    };
    (start, next)
}

/// What may stand behind `name=`.
fn values(name: &str) -> Vec<Next> {
    match name {
        "error" => bare(errno::names()),
        "signal" => bare(signal::names()),
        "at" => bare(["entry", "exit"]),
        "on" => bare(["success", "failure"]),
        "scope" => bare(["thread", "process", "rule"]),
        "distribution" => bare(["uniform", "normal", "pareto", "paretonormal"]),
        _ => Vec::new(),
    }
}

/// The places behind the last of these characters.
fn behind(text: &str, ends: &[char]) -> usize {
    text.rfind(ends).map_or(0, |at| at + 1)
}

/// Words up to their `=`, each once; what has none is a word by itself, unless it compares something.
fn beginnings(words: &[(&'static str, &'static str)]) -> Vec<Next> {
    let beginning = |&(written, means): &(&str, &str)| {
        let name = written.split('=').next().unwrap_or_default();
        let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        (plain && name.len() < written.len()).then(|| (format!("{name}="), means.to_owned()))
    };
    once_each(words.iter().filter_map(beginning))
}

fn once_each(all: impl Iterator<Item = Next>) -> Vec<Next> {
    let mut seen = BTreeSet::new();
    all.filter(|(word, _)| seen.insert(word.clone())).collect()
}

fn entries(words: &[(&'static str, &'static str)]) -> Vec<Next> {
    words.iter().map(|&(word, help)| (word.to_owned(), help.to_owned())).collect()
}

fn bare(words: impl IntoIterator<Item = impl Into<String>>) -> Vec<Next> {
    words.into_iter().map(|word| (word.into(), String::new())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_stand_next() {
        for (text, expected) in [
            ("inj", "inject="),
            ("inject=fdatas", "inject=fdatasync"),
            ("inject=fsync,%netw", "inject=fsync,%network"),
            ("inject=!fdatas", "inject=!fdatasync"),
            ("inject=fsync:err", "inject=fsync:error="),
            ("inject=fsync:error=ENOSP", "inject=fsync:error=ENOSPC"),
            ("inject=fsync:error=EIO/ENOSP", "inject=fsync:error=EIO/ENOSPC"),
            ("inject=fsync:error=EIO:at=ex", "inject=fsync:error=EIO:at=exit"),
            ("inject=kill:signal=SIGUSR1", ""),
            ("inject=kill:signal=SIGUS", "inject=kill:signal=SIGUSR1 inject=kill:signal=SIGUSR2"),
            ("io=rea", "io=read"),
            ("io=read:del", "io=read:delay="),
            ("net=tcp dpo", "net=tcp dport"),
            ("net=tcp dport 80 : parti", "net=tcp dport 80 : partition"),
            ("net=tcp dport 80 : connect=ECONNREF", "net=tcp dport 80 : connect=ECONNREFUSED"),
            ("net=dns nx", "net=dns nxdomain"),
            ("net=dupl", "net=duplicate"),
            ("process=pau", "process=pause"),
            ("process=kill SIGKI", "process=kill SIGKILL"),
            ("process=pause:ev", "process=pause:every="),
            ("inject=nosuch", ""),
            ("nosuch=x", ""),
        ] {
            let found = expressions(OsStr::new(text));
            let found: Vec<_> = found.iter().map(|one| one.get_value().to_string_lossy()).collect();
            assert_eq!(found.join(" "), expected, "{text}");
        }
    }
}
