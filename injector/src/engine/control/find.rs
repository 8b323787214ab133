//! Which plans there are, and which one is meant.

use crate::{
    engine::control::error::ControlError,
    kernel::live::registry::{LivePlan, live_plans},
};

/// All live plans.
///
/// # Errors
/// The kernel does not list its BPF maps to this process.
pub fn all() -> Result<Vec<LivePlan>, ControlError> {
    live_plans().map_err(|source| ControlError::List { source })
}

/// The plan that has `id` for its name, else the one whose number begins with these hexadecimal digits.
///
/// # Errors
/// None has such a name or number, several have, or they cannot be listed.
pub fn only(id: &str) -> Result<LivePlan, ControlError> {
    let named = |plan: &LivePlan| plan.said("name").iter().any(|name| name == id);
    let (mut called, mut plans): (Vec<_>, Vec<_>) = all()?.into_iter().partition(named);
    if called.len() > 1 {
        let ids = called.iter().map(LivePlan::id).collect();
        return Err(ControlError::SameName { name: id.to_owned(), ids });
    }
    if let Some(plan) = called.pop() {
        return Ok(plan);
    }
    plans.retain(|plan| plan.id().starts_with(&id.to_lowercase()));
    match (plans.pop(), plans.len()) {
        (Some(plan), 0) => Ok(plan),
        (None, _) => Err(ControlError::Unknown(id.to_owned())),
        (Some(_), others) => Err(ControlError::Ambiguous { id: id.to_owned(), plans: others + 1 }),
    }
}
