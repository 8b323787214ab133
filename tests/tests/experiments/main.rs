//! Experiments: labs of services, what is left of runs however they end, and the examples with their controls.

mod examples;
mod lab;
mod warden;
