//! Live plans as the command line names them: by the first digits of their number.

use crate::{
    cli::exit::{Code, Failure},
    engine::Blame,
    kernel::{
        live::registry::{LivePlan, live_plans},
        probe::refusal::{self, Attempt, Cause},
    },
    plan::unsupported::is_permission,
    target::Procfs,
};

/// All live plans, or why they cannot be seen.
pub(super) fn all() -> Result<Vec<LivePlan>, Failure> {
    live_plans().map_err(|error| match refusal::cause(&error, Attempt::List) {
        Some(Cause { why, remedy, fault }) => Failure {
            message: format!("cannot list the kernel's BPF maps: {error}: {why}"),
            hint: remedy,
            code: Blame::from(fault).into(),
        },
        None => Failure::other(format!("cannot list the kernel's BPF maps: {error}"), ""),
    })
}

/// The plan whose number begins with `id`.
pub(super) fn only(id: &str) -> Result<LivePlan, Failure> {
    let mut plans = all()?;
    plans.retain(|plan| name(plan).starts_with(&id.to_lowercase()));
    match (plans.pop(), plans.len()) {
        (Some(plan), 0) => Ok(plan),
        (None, _) => Err(Failure::usage(
            format!("no injection on this machine has the id {id}"),
            "`injector ps` lists them",
        )),
        (Some(_), others) => Err(Failure::usage(
            format!("{} injections have an id that begins with {id}", others + 1),
            "type more of its digits",
        )),
    }
}

/// Its number, as it is typed.
pub(super) fn name(plan: &LivePlan) -> String {
    format!("{:08x}", plan.header.plan)
}

/// The injector's process number, if it means something here.
pub(super) fn pid_of(plan: &LivePlan) -> Option<u32> {
    let here = Procfs::default().pid_namespace().ok()?;
    (plan.header.pid_namespace == here).then_some(plan.header.pid)
}

/// `what` could not be done to a plan.
pub(super) fn refused(what: &str, plan: &LivePlan, error: &std::io::Error) -> Failure {
    let (code, hint) =
        if is_permission(error) { (Code::PERMISSION, "run it as root (sudo)") } else { (Code::FAILED, "") };
    Failure { message: format!("cannot {what} plan {}: {error}", name(plan)), hint: hint.into(), code }
}
