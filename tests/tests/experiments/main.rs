//! Experiments: labs of services, and what is left of runs however they end.

mod lab;
mod warden;
