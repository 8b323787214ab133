//! `injector ps`: who injects what on this machine, read from the kernel itself.

use clap::Args;
use injector::engine::{
    self,
    control::{self, RuleStatus, Status},
};

use crate::cli::{
    exit::{Code, Failure},
    output,
};

/// List who injects what on this machine, since when, and how long still.
#[derive(Args, Debug)]
pub(super) struct Ps {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Ps {
    pub(super) fn run(self) -> Result<Code, Failure> {
        engine::sweep();
        let rows: Vec<_> = control::all()?.iter().map(Status::of).collect();
        if self.json {
            output::print_json(&rows)?;
            return Ok(Code::OK);
        }
        if rows.is_empty() {
            output::note("nobody injects anything on this machine");
            return Ok(Code::OK);
        }
        let mut table =
            output::table(&["id", "pid", "user", "age", "ends in", "target", "rule", "matched", "fired", ""]);
        for row in &rows {
            let none = RuleStatus {
                rule: 0,
                text: if row.idle { "(idle)" } else { "(too long to list)" }.into(),
                matched: 0,
                fired: 0,
                paused: false,
            };
            let rules = if row.rules.is_empty() { std::slice::from_ref(&none) } else { &row.rules };
            for (number, rule) in rules.iter().enumerate() {
                let first = |text: String| if number == 0 { text } else { String::new() };
                let state = match (row.acting, row.remaining_seconds) {
                    (false, _) => "no longer acts".into(),
                    (true, None) => "-".into(),
                    (true, Some(left)) => output::seconds(left * 1_000_000_000),
                };
                table.add_row([
                    first(
                        row.name
                            .as_ref()
                            .map_or_else(|| row.id.clone(), |name| format!("{} ({name})", row.id)),
                    ),
                    first(row.pid.map_or_else(|| "?".into(), |pid| pid.to_string())),
                    first(output::shown(&row.user)),
                    first(output::seconds(row.age_seconds * 1_000_000_000)),
                    first(state),
                    first(output::shown(whom(row))),
                    if row.rules.is_empty() { String::new() } else { rule.rule.to_string() },
                    rule.matched.to_string(),
                    if rule.paused { format!("{} (paused)", rule.fired) } else { rule.fired.to_string() },
                    output::shown(&rule.text),
                ]);
            }
        }
        output::print(&table)?;
        Ok(Code::OK)
    }
}

/// What a plan is put on: a command, whose cgroup nobody knows who has not looked for it, or the targets.
fn whom(plan: &Status) -> String {
    match &plan.command {
        Some(command) => format!("command {command}"),
        None => plan.targets.join(", "),
    }
}
