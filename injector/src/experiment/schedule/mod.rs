//! What is due when, and what is drawn: pure functions of the experiment and its seed, so that a replay repeats them.

mod pulse;
mod seed;
mod vary;

pub use self::{
    pulse::{Edge, edges},
    seed::{chosen, sub_seed},
    vary::{Amount, AmountError, Stage, stages},
};
