//! Live plans of any injector on this machine, found in the kernel: who injects what, ended, changed or paused by
//! somebody else. `ps`, `stop`, `change`, `pause` and `resume` are made of this.

mod change;
mod error;
mod find;
mod pause;
mod status;
mod stop;

pub use self::{
    change::{Wanted, change},
    error::ControlError,
    find::{all, only},
    pause::{Switched, pause},
    status::{RuleStatus, Status},
    stop::{Remainder, Stopped, end, halt},
};
