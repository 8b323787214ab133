//! Where the samples of a source go, and its watermark: the moment up to which they are complete.
//!
//! Whoever judges a second of a source has to know that nothing is to come that was due in it. It reads the watermark first
//! and then what the channel has; all that was due before the watermark is among what it has got by then.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::mpsc::UnboundedSender;

use crate::{clock, experiment::sample::Sample};

/// Samples of all sources, each with its source's name.
pub type Samples = UnboundedSender<(Arc<str>, Sample)>;

/// All that was due before it has been delivered. It only rises.
#[derive(Debug, Default)]
pub struct Watermark(AtomicU64);

impl Watermark {
    /// Where it is, nanoseconds of `CLOCK_BOOTTIME`: now at the latest, and 0 before the source begins. Of a source that
    /// has ended it is now.
    pub fn passed(&self) -> u64 {
        self.0.load(Ordering::Acquire).min(clock::now())
    }
}

/// The way out of one source. Dropped, the source has ended, and its watermark is no hindrance.
#[derive(Debug)]
pub struct Outlet {
    name: Arc<str>,
    samples: Samples,
    watermark: Arc<Watermark>,
}

impl Outlet {
    /// For the source of that name.
    pub fn new(name: &str, samples: Samples) -> Self {
        Self { name: name.into(), samples, watermark: Arc::default() }
    }

    /// Its watermark.
    pub fn watermark(&self) -> Arc<Watermark> {
        Arc::clone(&self.watermark)
    }

    /// Delivers a sample.
    pub(in crate::experiment) fn deliver(&self, sample: Sample) {
        // Nobody wants it any more: the run is over.
        _ = self.samples.send((Arc::clone(&self.name), sample));
    }

    /// All that was due before `moment` has been delivered.
    pub(in crate::experiment) fn complete_until(&self, moment: u64) {
        self.watermark.0.fetch_max(moment, Ordering::Release);
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.complete_until(u64::MAX);
    }
}
