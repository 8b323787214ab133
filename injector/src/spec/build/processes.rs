//! The words of rules on processes.

use std::time::Duration;

use crate::{
    clock,
    spec::{
        build::{Processes, RuleBuilder},
        quantity::show_time,
    },
};

impl RuleBuilder<Processes> {
    /// A pause lasts so long, and not until the rule ends.
    pub fn lasting(self, length: Duration) -> Self {
        self.with_time("for", length)
    }

    /// It begins so long after the plan does.
    pub fn after(self, time: Duration) -> Self {
        self.with_time("after", time)
    }

    /// It is done again, so long after it began.
    pub fn every(self, time: Duration) -> Self {
        self.with_time("every", time)
    }

    fn with_time(self, name: &str, time: Duration) -> Self {
        self.with(name, show_time(clock::nanoseconds(time)))
    }
}
