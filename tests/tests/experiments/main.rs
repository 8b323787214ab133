//! Experiments: labs of services, runs from their file to their report, what is left of them however they end, and the
//! examples with their controls.

mod aborted;
mod examples;
mod lab;
mod runs;
mod seeds;
mod truth;
mod warden;
