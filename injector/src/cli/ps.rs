//! `injector ps`: who injects what on this machine, read from the kernel itself.

use clap::Args;
use serde::Serialize;

use crate::{
    cli::{
        exit::{Code, Failure},
        output,
        plans::{self, pid_of},
    },
    clock, engine,
    kernel::live::registry::LivePlan,
};

/// List who injects what on this machine, since when, and how long still.
#[derive(Args, Debug)]
pub(super) struct Ps {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One live plan.
#[derive(Debug, Serialize)]
struct Row {
    /// The plan, as `stop` takes it.
    id: String,
    /// The injector's process number; absent when it is in another pid namespace.
    pid: Option<u32>,
    user: String,
    monitor: bool,
    /// Seconds since it was applied.
    age_seconds: u64,
    /// Seconds until it ends by itself; absent when it does not.
    remaining_seconds: Option<u64>,
    /// False when the injector has not renewed its lease: its faults have ended.
    acting: bool,
    targets: Vec<String>,
    rules: Vec<RuleRow>,
}

#[derive(Debug, Serialize)]
struct RuleRow {
    /// Its number, as in the report.
    rule: u32,
    text: String,
    matched: u64,
    fired: u64,
}

impl Ps {
    pub(super) fn run(self) -> Result<Code, Failure> {
        engine::sweep();
        let rows: Vec<_> = plans::all()?.iter().map(row).collect();
        if self.json {
            output::print_json(&rows)?;
            return Ok(Code::OK);
        }
        if rows.is_empty() {
            output::note("nobody injects anything on this machine");
            return Ok(Code::OK);
        }
        let mut table =
            output::table(&["id", "pid", "user", "age", "ends in", "target", "matched", "fired", "rule"]);
        for row in &rows {
            let none = RuleRow { rule: 0, text: "(too long to list)".into(), matched: 0, fired: 0 };
            let rules = if row.rules.is_empty() { std::slice::from_ref(&none) } else { &row.rules };
            for (number, rule) in rules.iter().enumerate() {
                let first = |text: String| if number == 0 { text } else { String::new() };
                let state = match (row.acting, row.remaining_seconds) {
                    (false, _) => "no longer acts".into(),
                    (true, None) => "-".into(),
                    (true, Some(left)) => output::seconds(left * 1_000_000_000),
                };
                table.add_row([
                    first(row.id.clone()),
                    first(row.pid.map_or_else(|| "?".into(), |pid| pid.to_string())),
                    first(output::shown(&row.user)),
                    first(output::seconds(row.age_seconds * 1_000_000_000)),
                    first(state),
                    first(output::shown(row.targets.join(", "))),
                    rule.matched.to_string(),
                    rule.fired.to_string(),
                    output::shown(&rule.text),
                ]);
            }
        }
        output::print(&table)?;
        Ok(Code::OK)
    }
}

fn row(plan: &LivePlan) -> Row {
    use std::sync::atomic::Ordering::Relaxed;
    let now = clock::now();
    let (deadline, lease) =
        plan.shared().map_or((0, 0), |shared| (shared.deadline.load(Relaxed), shared.lease.load(Relaxed)));
    let counters = plan.counters().unwrap_or_default();
    let rules = plan.rules().into_iter().filter_map(|(rule, text)| {
        let counters = counters.get(rule as usize)?;
        Some(RuleRow { rule, text, matched: counters.matched, fired: counters.fired })
    });
    Row {
        id: format!("{:08x}", plan.header.plan),
        pid: pid_of(plan),
        user: plan.said("user").pop().unwrap_or_default(),
        monitor: plan.said("monitor").first().is_some_and(|value| value == "1"),
        age_seconds: now.saturating_sub(plan.header.started) / 1_000_000_000,
        remaining_seconds: (deadline != u64::MAX).then(|| deadline.saturating_sub(now) / 1_000_000_000),
        acting: injector_common::shared::alive(now, deadline, lease),
        targets: plan.said("target"),
        rules: rules.collect(),
    }
}
