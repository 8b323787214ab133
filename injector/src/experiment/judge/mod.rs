//! The judge: what the journal's records say of the experiment's conditions. Pure, and the same live and afterwards.

mod evidence;
mod holding;
pub mod interval;
mod judgement;
mod stretch;
mod window;

pub use self::{
    evidence::{Evidence, SECOND, whole_seconds},
    holding::Judge,
    judgement::{Judgement, Truth},
    window::{Nature, Window, seconds},
};
