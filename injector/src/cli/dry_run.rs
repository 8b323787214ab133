//! `--dry-run`: who is meant, which rules there are, and what would be attached and made.

use injector::plan::Plan;
use serde::Serialize;

use crate::cli::{
    exit::{Code, Failure},
    log::Log,
    outcome::Outcome,
    output::{self, out, shown},
    output_file,
};

/// What would be done, as `--json` has it.
#[derive(Debug, Serialize)]
struct DryRun {
    /// Version of this list.
    schema: u32,
    name: Option<String>,
    targets: Vec<String>,
    seed: u64,
    /// How long the plan would act, nanoseconds; null for as long as the injector lives.
    for_ns: Option<u128>,
    rules: Vec<PlannedRule>,
    /// Rules that the plan would be prepared for.
    prepare: Vec<String>,
    /// Programs at functions of the kernel.
    attach: Vec<PlannedProgram>,
    /// Programs that packets and connections meet, in words.
    packets: Vec<&'static str>,
    /// What would be made besides programs, in words.
    make: Vec<&'static str>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct PlannedRule {
    rule: usize,
    text: String,
    /// System calls that it names.
    calls: usize,
}

#[derive(Debug, Serialize)]
struct PlannedProgram {
    backend: String,
    function: String,
}

/// Prints it, once it is clear that the files that were named could be written. `trees`: is a process tree among the
/// targets?
pub(super) fn print(
    plan: &Plan,
    targets: Vec<String>,
    trees: bool,
    outcome: &Outcome,
) -> Result<Code, Failure> {
    Log::check(outcome.log.as_deref())?;
    output_file::check("report", outcome.report.as_deref())?;
    let planned = DryRun::of(plan, targets, trees);
    let written = if outcome.json { output::print_json(&planned) } else { out(&planned.text(plan)) };
    written.map(|()| Code::OK)
}

impl DryRun {
    fn of(plan: &Plan, targets: Vec<String>, trees: bool) -> Self {
        let rules = plan.rules.iter().enumerate();
        let rules = rules.map(|(rule, planned)| PlannedRule {
            rule,
            text: planned.text.clone(),
            calls: planned.calls,
        });
        let attach = plan.sites.iter().map(|site| PlannedProgram {
            backend: site.backend.to_string(),
            function: site.function.clone(),
        });
        Self {
            schema: 1,
            name: plan.options.name.as_ref().map(ToString::to_string),
            targets,
            seed: plan.options.seed,
            for_ns: plan.options.duration.map(|time| time.as_nanos()),
            rules: rules.collect(),
            prepare: plan.options.repertoire.iter().map(|rule| rule.text.clone()).collect(),
            attach: attach.collect(),
            packets: on_packets(plan, trees).collect(),
            make: made(plan).collect(),
            notes: plan.notes.clone(),
        }
    }

    fn text(&self, plan: &Plan) -> String {
        let mut lines: Vec<String> = self.targets.iter().map(|target| format!("target  {target}")).collect();
        lines.push(format!("seed    {}", self.seed));
        lines.push(match plan.options.duration {
            Some(time) => format!("for     {}", humantime::format_duration(time)),
            None => "for     as long as the injector lives".into(),
        });
        for PlannedRule { rule, text, calls } in &self.rules {
            let calls = if *calls > 0 { format!("  ({calls} calls)") } else { String::new() };
            lines.push(format!("rule {rule}  {text}{calls}"));
        }
        lines.extend(self.prepare.iter().map(|rule| format!("prepare {rule}")));
        lines.extend(self.attach.iter().map(|site| format!("attach  {} at {}", site.backend, site.function)));
        lines.extend(self.packets.iter().map(|line| format!("attach  {line}")));
        lines.extend(self.make.iter().map(|line| format!("make    {line}")));
        lines.extend(self.notes.iter().map(|note| format!("note    {note}")));
        lines.push("nothing was attached".into());
        lines.iter().map(|line| shown(line) + "\n").collect()
    }
}

/// The programs that packets and connections meet.
fn on_packets(plan: &Plan, trees: bool) -> impl Iterator<Item = &'static str> {
    [
        (trees && plan.needs_packets(), "sockets where sockets are made, and to those that the tree has"),
        (
            plan.needs_ingress(),
            if trees {
                "cgroup_skb at the root cgroup's incoming packets"
            } else {
                "cgroup_skb at the target's incoming packets"
            },
        ),
        (plan.needs_connect(), "cgroup_connect at the target's connections"),
        (plan.needs_egress(), "tc at the egress of every device of the target's network namespaces"),
        (plan.inbound().is_some(), "tc at the ingress of every device of the target's network namespaces"),
        (
            plan.needs_ingress() && plan.inbound().is_none(),
            "tc at the ingress of every device of a network namespace in which nobody but the target lives",
        ),
    ]
    .into_iter()
    .filter_map(|(needed, line)| needed.then_some(line))
}

/// What there would be besides programs.
fn made(plan: &Plan) -> impl Iterator<Item = &'static str> {
    let line =
        "delay_line: a device inj-PLAN in each of these, its other end in a network namespace of our own";
    let helpers =
        "the processes injector-fuse, injector-pager and injector-wdog, which wake those who are delayed";
    let warden = "the process injector-warden, which lets paused processes go on if injector dies";
    let warden = (plan.pauses() && !plan.options.monitor).then_some(warden);
    [plan.delay_line.map(|_| line), plan.delays_calls().then_some(helpers), warden].into_iter().flatten()
}
