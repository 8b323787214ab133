//! `injector doctor`: what this kernel allows, every mechanism attached for real.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde::Serialize;

mod delays;
mod policy;
mod rule;
mod verdict;

use injector::{
    kernel::{
        bpf::btf::KernelBtf,
        probe::{self, kernel_config, privileges::Standing, refusal},
        syscall::{delay_hook::CallDelayHook, hook::Hook},
    },
    operations::{Operation, TABLE},
    plan::{
        backend::{Backend, Site},
        unsupported::{Fault, Mechanism, Unsupported},
    },
    syscalls::hooks::held_at,
    target::rlimit,
};

use crate::cli::{
    color, completions,
    doctor::{
        delays::Delays,
        policy::Permitted,
        verdict::{Obstacle, Verdict},
    },
    exit::{Code, Failure},
    output,
};

/// Say what this kernel can do; with -v why not all of it, and what to do about that.
///
/// Every mechanism is tried by attaching a program that changes nothing. Exit code 3 if nothing at all, or a rule of
/// --rule, can be injected on this kernel, 4 if that is for want of a right, 1 if a limit or a mount is in the way.
#[derive(Args, Debug)]
pub(super) struct Doctor {
    /// Say of each mechanism what it is for, why it does not work, and what to do
    #[arg(long, short)]
    verbose: bool,
    /// Say whether this rule, written as for -e, can be had on this kernel, by what, or what can be had instead; may be
    /// given more than once
    #[arg(long, value_name = "RULE", add = ArgValueCompleter::new(completions::expressions))]
    #[arg(conflicts_with_all = ["json", "verbose"])]
    rule: Vec<String>,
    /// Rules of --rule may do what needs --unsafe elsewhere
    #[arg(long = "unsafe", requires = "rule")]
    allow_unsafe: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How many files the smallest plan opens: its maps, its programs and what links them, and the event loop's.
const SMALLEST_PLAN: usize = 56;

/// A limit of this process that leaves no room for a plan.
#[derive(Debug, Serialize)]
struct Limit {
    why: String,
    remedy: String,
}

#[derive(Debug, Serialize)]
struct Finding {
    mechanism: &'static str,
    available: bool,
    purpose: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Debug, Serialize)]
struct Findings {
    schema: u32,
    kernel: String,
    architecture: &'static str,
    lockdown: Option<String>,
    fully_preemptible: bool,
    real_time: bool,
    missing_capabilities: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Limit>,
    mechanisms: Vec<Finding>,
    operations: Vec<Possible>,
    delays: Delays,
    policy: Permitted,
}

/// An operation of `--io`.
#[derive(Debug, Serialize)]
struct Possible {
    operation: &'static str,
    available: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// Can a thread wait before it?
    delay: Wait,
}

/// Whether threads can wait before an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Wait {
    Yes,
    /// With `--unsafe`: others wait as well.
    Unsafe,
    No,
}

impl Doctor {
    pub(super) fn run(self) -> Result<Code, Failure> {
        if !self.rule.is_empty() {
            return rule::tell(&self.rule, self.allow_unsafe);
        }
        let limit = limit();
        let btf = probe::btf();
        let result = |mechanism| match &btf {
            Ok(btf) => probe::probe(mechanism, btf),
            Err(cause) => Err(Unsupported { mechanism, ..cause.clone() }),
        };
        let results = Mechanism::ALL.map(|mechanism| (mechanism, result(mechanism)));
        let works = |wanted: &[Mechanism]| {
            results.iter().any(|(mechanism, result)| wanted.contains(mechanism) && result.is_ok())
        };
        let ways = [Mechanism::FmodRet, Mechanism::Kprobe, Mechanism::Hook, Mechanism::CgroupIngress];
        let usable = works(&[Mechanism::ProcessTree]) && works(&ways);
        let code = |fault| match fault {
            Fault::Right => Code::PERMISSION,
            Fault::Machine => Code::FAILED,
            Fault::Kernel => Code::KERNEL,
        };
        // What can be helped most easily comes first.
        let blamed = [Fault::Right, Fault::Machine, Fault::Kernel].into_iter().find_map(|fault| {
            results.iter().filter_map(|(_, result)| result.as_ref().err()).find(|cause| cause.fault == fault)
        });
        let obstacle = match (&limit, blamed) {
            (Some(Limit { why, remedy }), _) if usable => Some(Obstacle::of_limit(why, remedy)),
            (_, Some(cause)) if !usable => Some(Obstacle::of(cause)),
            _ => None,
        };
        let verdict = Verdict { kernel: &release(), results: &results, obstacle: obstacle.as_ref() };
        if !self.json && !self.verbose {
            output::out(&(verdict.text() + &Permitted::find().summary()))?;
            return Ok(obstacle.map_or(Code::OK, |obstacle| code(obstacle.fault)));
        }
        let (anywhere, waits) = (works(&[Mechanism::CallDelay]), works(&[Mechanism::CallDelayHook]));
        let delays = Delays::find(btf.as_ref().ok(), anywhere, waits);
        let operations = operations(btf.as_ref(), waits);
        let findings = Findings { limit, operations, delays, ..findings(&results) };
        if self.json {
            output::print_json(&findings)?;
        } else {
            output::out(&format!("{}\n{}", verdict.text(), text(&findings)))?;
        }
        Ok(obstacle.map_or(Code::OK, |obstacle| code(obstacle.fault)))
    }
}

/// The mechanisms are tried one by one; a plan needs room for all that it uses at once.
fn limit() -> Option<Limit> {
    rlimit::raise();
    let error = rlimit::has_room_for(SMALLEST_PLAN).err()?;
    refusal::limit(&error).map(|cause| Limit { why: cause.why, remedy: cause.remedy })
}

/// The kernel's version, as uname(1) has it.
fn release() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}

fn findings(results: &[(Mechanism, Result<(), Unsupported>)]) -> Findings {
    let finding = |(mechanism, result): &(Mechanism, Result<(), Unsupported>)| {
        let cause = result.as_ref().err();
        Finding {
            mechanism: mechanism.name(),
            available: result.is_ok(),
            purpose: mechanism.purpose(),
            why: cause.map(|cause| cause.why.clone()),
            remedy: cause.map(|cause| cause.remedy.clone()).filter(|remedy| !remedy.is_empty()),
        }
    };
    Findings {
        schema: 1,
        kernel: release(),
        architecture: std::env::consts::ARCH,
        lockdown: kernel_config::lockdown(),
        fully_preemptible: kernel_config::fully_preemptible(),
        real_time: kernel_config::real_time(),
        missing_capabilities: Standing::now().missing(),
        limit: None,
        mechanisms: results.iter().map(finding).collect(),
        operations: Vec::new(),
        delays: Delays::default(),
        policy: Permitted::find(),
    }
}

/// Which operations have a hook here, and at which of those threads can wait, if they can at any (`waits`).
fn operations(btf: Result<&KernelBtf, &Unsupported>, waits: bool) -> Vec<Possible> {
    let hooks = btf.map(|btf| Hook::new(btf, false));
    let delays = btf.ok().filter(|_| waits).map(CallDelayHook::new);
    if let Some(delays) = &delays {
        delays.assume();
    }
    let wait = |operation| {
        let sites = delays.as_ref().and_then(|delays| delays.operation_sites(operation).ok());
        let locked = |sites: &[Site]| sites.iter().any(|site| held_at(&site.function).is_some());
        sites.map_or(Wait::No, |sites| if locked(&sites) { Wait::Unsafe } else { Wait::Yes })
    };
    let possible = |operation: &'static Operation| {
        let sites = hooks
            .as_ref()
            .map_err(|cause| (*cause).clone())
            .and_then(|hooks| hooks.operation_sites(operation));
        Possible {
            operation: operation.name,
            available: sites.is_ok(),
            why: sites.err().map(|cause| cause.why),
            delay: wait(operation),
        }
    };
    TABLE.iter().map(possible).collect()
}

/// For a person.
fn text(findings: &Findings) -> String {
    let mut lines = Vec::new();
    if let Some(level) = &findings.lockdown {
        lines.push(format!("locked down: {level}"));
    }
    if !findings.missing_capabilities.is_empty() {
        lines.push(format!("missing capabilities: {}", findings.missing_capabilities.join(", ")));
    }
    if let Some(limit) = &findings.limit {
        lines.push(format!("limit: {}", limit.why));
        lines.push(format!("     do:  {}", limit.remedy));
    }
    for finding in &findings.mechanisms {
        let mark = if finding.available { color::good("yes") } else { color::bad("no ") };
        lines.push(format!("{mark}  {:<15} {}", finding.mechanism, finding.purpose));
        // What keeps several from working is told once.
        let same = |other: &&Finding| other.why == finding.why && other.remedy == finding.remedy;
        let first = findings.mechanisms.iter().find(same).map_or(finding.mechanism, |first| first.mechanism);
        if first == finding.mechanism {
            lines.extend(finding.why.iter().map(|why| format!("     why: {}", why.trim())));
            lines.extend(finding.remedy.iter().map(|remedy| format!("     do:  {remedy}")));
        } else if finding.why.is_some() {
            lines.push(format!("     as {first}"));
        }
    }
    let named = |available: bool| {
        let those = findings.operations.iter().filter(|possible| possible.available == available);
        those.map(|possible| possible.operation).collect::<Vec<_>>().join(" ")
    };
    lines.push(format!("operations for --io: {}", named(true)));
    let missing = named(false);
    if !missing.is_empty() {
        lines.push(format!("     not here: {missing}"));
    }
    let waiting = |wait: Wait| {
        let those = findings.operations.iter().filter(|possible| possible.delay == wait);
        those.map(|possible| possible.operation).collect::<Vec<_>>().join(" ")
    };
    if !waiting(Wait::Yes).is_empty() {
        lines.push(format!("     with delay=: {}", waiting(Wait::Yes)));
        lines.push(format!("     with delay= and --unsafe: {}", waiting(Wait::Unsafe)));
    }
    lines.extend(findings.delays.lines());
    lines.extend(findings.policy.lines());
    if findings.fully_preemptible {
        lines.push(
            "note: this kernel is fully preemptible, so fmod_ret misses calls made while another task is interrupted \
             in it (the report counts them); kprobe for calls and lsm for hooks are exact, and preferred here"
                .into(),
        );
    }
    if findings.real_time {
        lines.push(
            "note: this is a real-time kernel (CONFIG_PREEMPT_RT), on which programs on packets may interrupt each \
             other: rules for --net need --unsafe here"
                .into(),
        );
    }
    lines.join("\n") + "\n"
}
