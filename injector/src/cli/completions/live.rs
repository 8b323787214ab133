//! What lives on this machine, as candidates: plans with their rules, containers, pods, labels, units, cgroups and
//! processes. What cannot be read is none: nobody reads a message while a word is completed.

use std::fs;

use clap_complete::engine::CompletionCandidate;
use injector::{
    engine::control::{self, Status},
    printable::Printable,
    target::{Host, Kind, known},
};

/// A candidate with a line on it, which may be foreign text.
fn candidate(value: impl Into<String>, help: impl std::fmt::Display) -> CompletionCandidate {
    CompletionCandidate::new(value.into()).help(Some(Printable(help).to_string().into()))
}

fn statuses() -> Vec<Status> {
    control::all().unwrap_or_default().iter().map(Status::of).collect()
}

/// Live plans, by their names and ids.
pub(in crate::cli) fn plans() -> Vec<CompletionCandidate> {
    let of = |plan: Status| {
        let about = format!("on {}", plan.command.unwrap_or_else(|| plan.targets.join(", ")));
        let names = plan.name.into_iter().chain([plan.id]);
        names.map(move |name| candidate(name, &about)).collect::<Vec<_>>()
    };
    statuses().into_iter().flat_map(of).collect()
}

/// The numbers of the rules of live plans.
pub(in crate::cli) fn numbers() -> Vec<CompletionCandidate> {
    let rules = statuses().into_iter().flat_map(|plan| plan.rules);
    rules.map(|rule| candidate(rule.rule.to_string(), rule.text)).collect()
}

/// Containers that run.
pub(in crate::cli) fn containers() -> Vec<CompletionCandidate> {
    named(Kind::Container)
}

/// Pods that run.
pub(in crate::cli) fn pods() -> Vec<CompletionCandidate> {
    named(Kind::Pod)
}

/// Labels of containers that run.
pub(in crate::cli) fn labels() -> Vec<CompletionCandidate> {
    named(Kind::Label)
}

/// Units that run.
pub(in crate::cli) fn units() -> Vec<CompletionCandidate> {
    named(Kind::Unit)
}

/// Cgroups, as `--cgroup` takes them.
pub(in crate::cli) fn cgroups() -> Vec<CompletionCandidate> {
    named(Kind::Cgroup)
}

fn named(kind: Kind) -> Vec<CompletionCandidate> {
    let known = Host::here().and_then(|host| known(kind, &host)).unwrap_or_default();
    known.into_iter().map(CompletionCandidate::new).collect()
}

/// Processes, but for threads of the kernel.
pub(in crate::cli) fn processes() -> Vec<CompletionCandidate> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let process = |pid: u32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).ok().filter(|words| !words.is_empty())?;
        let words = String::from_utf8_lossy(&words).trim_end_matches('\0').replace('\0', " ");
        Some(candidate(pid.to_string(), words))
    };
    pids.filter_map(process).collect()
}
