//! What everybody on the machine can learn of a live plan, and where they can ask it for something.

use bytemuck::Zeroable;
use injector_common::plan::PlanHeader;

use crate::{
    engine::EngineError,
    kernel::{
        installation::Handle,
        live::{
            control::ControlChannel,
            registry::{Listing, in_one_line},
        },
    },
    plan::Plan,
    target::{Procfs, Target},
};

/// The plan's entry in `ps`. It is listed as long as this lives.
#[derive(Debug)]
pub(super) struct Listed {
    listing: Listing,
    header: PlanHeader,
    pub(super) control: ControlChannel,
}

impl Listed {
    /// Lists a new plan.
    pub(super) fn begin(
        plan: &Plan,
        targets: &[Target],
        now: u64,
        procfs: &Procfs,
        handle: &Handle,
    ) -> Result<Self, EngineError> {
        let control = ControlChannel::make().map_err(EngineError::ControlChannel)?;
        let (requests_map, answers_map) = control.numbers().map_err(EngineError::ControlChannel)?;
        let header = PlanHeader {
            pid: std::process::id(),
            plan: u64::from(plan.id),
            started: now,
            pid_namespace: procfs.pid_namespace().unwrap_or(0),
            requests_map,
            answers_map,
            ..PlanHeader::zeroed()
        };
        let listing = Listing::make().map_err(EngineError::ControlChannel)?;
        let this = Self { listing, header, control };
        this.write(plan, targets, handle)?;
        Ok(this)
    }

    /// How often the plan was changed.
    pub(super) fn revision(&self) -> u32 {
        self.header.revision
    }

    /// Lists the plan as it is after a change.
    pub(super) fn changed(
        &mut self,
        plan: &Plan,
        targets: &[Target],
        handle: &Handle,
    ) -> Result<(), EngineError> {
        self.header.revision += 1;
        self.write(plan, targets, handle)
    }

    fn write(&self, plan: &Plan, targets: &[Target], handle: &Handle) -> Result<(), EngineError> {
        let header = PlanHeader { rules: plan.next_number, ..self.header };
        Ok(handle.list(header, &text(plan, targets), &self.listing)?)
    }
}

/// What `ps` shows: one `key=value` a line, a rule with its number; what may be many at the end, since the
/// room is limited.
fn text(plan: &Plan, targets: &[Target]) -> String {
    let line = |key: &str, value: &str| format!("{key}={}\n", in_one_line(value));
    let mut text =
        line("user", &std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_default());
    if let Some(name) = &plan.options.name {
        text += &line("name", &name.to_string());
    }
    if let Some(command) = &plan.options.command {
        text += &line("command", command);
    }
    text += &line("monitor", if plan.options.monitor { "1" } else { "0" });
    text += &line("idle", if plan.rules.is_empty() { "1" } else { "0" });
    for rule in &plan.rules {
        text += &line("rule", &format!("{} {}", rule.number, rule.text));
    }
    for target in targets {
        text += &line("target", &target.describe());
    }
    text
}
