//! A circuit breaker. Closed, it lets calls through; after some failures in a row it opens and lets none through; after a
//! while it is half open: one call is let through, and how that ends decides.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// So many failures in a row open it.
const FAILURES: u32 = 5;
/// So long it stays open before one call is tried.
const OPEN: Duration = Duration::from_secs(2);

#[derive(Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { since: Instant },
    HalfOpen { since: Instant },
}

pub(crate) struct Breaker(Option<Mutex<State>>);

impl Breaker {
    /// One that is off lets everything through.
    pub(crate) fn new(on: bool) -> Self {
        Self(on.then(|| Mutex::new(State::Closed { failures: 0 })))
    }

    /// Whether a call may be made now.
    pub(crate) fn lets_through(&self) -> bool {
        let Some(state) = &self.0 else { return true };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Closed { .. } => true,
            // A trial of which nothing was heard counts as one that failed.
            State::Open { since } | State::HalfOpen { since } if since.elapsed() >= OPEN => {
                *state = State::HalfOpen { since: Instant::now() };
                true
            }
            State::Open { .. } | State::HalfOpen { .. } => false,
        }
    }

    /// How a call has ended. `true`: the breaker has opened because of it.
    pub(crate) fn ended(&self, well: bool) -> bool {
        let Some(state) = &self.0 else { return false };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match *state {
            State::Closed { .. } | State::HalfOpen { .. } if well => State::Closed { failures: 0 },
            State::Closed { failures } if failures + 1 < FAILURES => State::Closed { failures: failures + 1 },
            State::Closed { .. } | State::HalfOpen { .. } => State::Open { since: Instant::now() },
            // A call that was made before it opened says nothing of now.
            open @ State::Open { .. } => open,
        };
        let opened = matches!(next, State::Open { .. }) && !matches!(*state, State::Open { .. });
        *state = next;
        opened
    }
}
