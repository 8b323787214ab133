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

/// The plan whose number begins with the hexadecimal digits `id`.
///
/// # Errors
/// None has such a number, several have, or they cannot be listed.
pub fn only(id: &str) -> Result<LivePlan, ControlError> {
    let mut plans = all()?;
    plans.retain(|plan| plan.id().starts_with(&id.to_lowercase()));
    match (plans.pop(), plans.len()) {
        (Some(plan), 0) => Ok(plan),
        (None, _) => Err(ControlError::Unknown(id.to_owned())),
        (Some(_), others) => Err(ControlError::Ambiguous { id: id.to_owned(), plans: others + 1 }),
    }
}
