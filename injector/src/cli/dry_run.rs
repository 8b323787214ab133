//! `--dry-run`: who is meant, which rules there are, and what would be attached and made.

use injector::plan::Plan;

use crate::cli::{
    exit::Failure,
    output::{out, shown},
};

/// Prints it. `trees`: is a process tree among the targets?
pub(super) fn print(plan: &Plan, targets: &[String], trees: bool) -> Result<(), Failure> {
    let mut lines: Vec<String> = targets.iter().map(|target| format!("target  {target}")).collect();
    lines.push(format!("seed    {}", plan.options.seed));
    lines.push(match plan.options.duration {
        Some(time) => format!("for     {}", humantime::format_duration(time)),
        None => "for     as long as the injector lives".into(),
    });
    for (number, rule) in plan.rules.iter().enumerate() {
        let calls = if rule.calls > 0 { format!("  ({} calls)", rule.calls) } else { String::new() };
        lines.push(format!("rule {number}  {}{calls}", rule.text));
    }
    lines.extend(plan.sites.iter().map(|site| format!("attach  {} at {}", site.backend, site.function)));
    lines.extend(on_packets(plan, trees).map(|line| format!("attach  {line}")));
    lines.extend(made(plan).map(|line| format!("make    {line}")));
    lines.extend(plan.notes.iter().map(|note| format!("note    {note}")));
    lines.push("nothing was attached".into());
    out(&lines.iter().map(|line| shown(line) + "\n").collect::<String>())
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
    let warden = "the process injector-warden, which has those go on who are paused if injector dies";
    let warden = (plan.pauses() && !plan.options.monitor).then_some(warden);
    [plan.delay_line.map(|_| line), plan.delays_calls().then_some(helpers), warden].into_iter().flatten()
}
