//! Live plans of any injector on this machine, found in the kernel: who injects what, ended or changed by somebody
//! else. `ps`, `stop` and `change` are made of this.

mod change;
mod error;
mod find;
mod status;
mod stop;

pub use self::{
    change::{Wanted, change},
    error::ControlError,
    find::{all, only},
    status::{RuleStatus, Status},
    stop::{Remainder, Stopped, end, halt},
};
