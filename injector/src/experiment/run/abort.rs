//! The end before the end: signals, the deadline, a condition of `abort`, whoever asks.

use std::{future::Future, time::Duration};

use tokio::sync::watch;

/// Why a run is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// In a few words: `SIGINT`, `the deadline of 15m`, the condition.
    pub text: String,
    /// A person, the deadline or a condition of `abort` asked for it; else it is a failure.
    pub asked: bool,
}

/// Tells everybody to end. Clones share it.
#[derive(Clone, Debug)]
pub struct Abort {
    reason: watch::Sender<Option<Reason>>,
    /// Not even the rollback is waited for.
    hurry: watch::Sender<bool>,
}

/// The run is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted;

impl Default for Abort {
    fn default() -> Self {
        Self { reason: watch::Sender::new(None), hurry: watch::Sender::new(false) }
    }
}

impl Abort {
    /// Ends the run. The first reason counts.
    pub fn now(&self, text: impl Into<String>, asked: bool) {
        self.reason.send_if_modified(|reason| {
            let first = reason.is_none();
            if first {
                *reason = Some(Reason { text: text.into(), asked });
            }
            first
        });
    }

    /// Why it is to end, if it is.
    pub fn reason(&self) -> Option<Reason> {
        self.reason.borrow().clone()
    }

    /// Has the rollback left out as well.
    pub fn hurry(&self) {
        self.hurry.send_replace(true);
    }

    /// Returns when the rollback is to be left out.
    pub async fn hurried(&self) {
        let mut changed = self.hurry.subscribe();
        // The sender lives as long as this.
        let _ = changed.wait_for(|hurry| *hurry).await;
    }

    /// Returns when the run is to end.
    pub async fn wait(&self) {
        let mut changed = self.reason.subscribe();
        // The sender lives as long as this.
        let _ = changed.wait_for(Option::is_some).await;
    }

    /// Does something unless the run is to end first.
    ///
    /// # Errors
    /// [`Aborted`]: it is.
    pub async fn unless<T>(&self, work: impl Future<Output = T>) -> Result<T, Aborted> {
        tokio::select! {
            biased;
            () = self.wait() => Err(Aborted),
            done = work => Ok(done),
        }
    }

    /// Waits until a moment of `CLOCK_BOOTTIME`, nanoseconds.
    ///
    /// # Errors
    /// [`Aborted`]: the run is to end.
    pub async fn sleep_until(&self, moment: u64) -> Result<(), Aborted> {
        // The runtime's clock stands still while the machine sleeps, so it is asked again.
        loop {
            let left = Duration::from_nanos(moment.saturating_sub(crate::clock::now()));
            if left.is_zero() {
                return Ok(());
            }
            self.unless(tokio::time::sleep(left.min(Duration::from_secs(1)))).await?;
        }
    }
}
