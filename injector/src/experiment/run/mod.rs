//! The runner: it does what the experiment says, phase by phase, and writes down what happens.

mod abort;
mod collector;
mod recorder;

pub use self::recorder::{Observer, Recorder};
