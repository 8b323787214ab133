//! What a live plan has to say, as it comes: a device that cannot be covered, a target that went away, a change.

use std::time::Duration;

use injector::engine::Guard;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::cli::{output, screen};

/// How often it is looked whether there is anything.
const PERIOD: Duration = Duration::from_millis(500);

/// The notes of a plan that were not told yet.
pub(super) struct News {
    tick: Interval,
    told: usize,
}

impl News {
    /// Those of the plan itself were told when it began.
    pub(super) fn of(guard: &Guard) -> Self {
        let mut tick = interval(PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { tick, told: guard.plan().notes.len() }
    }

    /// Waits until it is time to look. Can be dropped and called again.
    pub(super) async fn due(&mut self) {
        self.tick.tick().await;
    }

    /// Tells what is new, where that does not take long.
    pub(super) fn tell(&mut self, guard: &Guard) {
        if self.told == guard.notes().len() || !screen::takes_more() {
            return;
        }
        for text in guard.notes().iter().skip(self.told) {
            output::note(format_args!("note: {}", output::shortened(text)));
        }
        self.told = guard.notes().len();
    }

    /// How many were told: the closing report has more.
    pub(super) fn told(&self) -> usize {
        self.told
    }
}
