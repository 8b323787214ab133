//! How a plan comes to its end by itself.

use serde::{Deserialize, Serialize};

use crate::kernel::sleep::Lost;

/// Why a plan came to its end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// Its time is up.
    Deadline,
    /// Nothing is left of its targets.
    TargetsGone,
    /// Somebody stopped it (`injector stop`).
    Stopped,
    /// What makes calls wait has ended, or was ended because it hung.
    DelaysLost(Lost),
}
