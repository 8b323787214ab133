//! Where all that happens is told: into the journal, into the account that conditions are judged by, and to whoever watches.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    clock,
    experiment::{
        journal::{Moment, Phase, Record, Writer},
        report::Account,
    },
};

/// Who is told of every record, with the account that has it already.
pub trait Observer: Send {
    /// A record was made.
    fn record(&mut self, moment: &Moment, account: &Account);
}

/// The one place where records are made. Clones share it.
#[derive(Clone)]
pub struct Recorder(Arc<Mutex<Inner>>);

struct Inner {
    journal: Writer,
    account: Account,
    observer: Box<dyn Observer>,
    /// The first record that could not be written. The run goes on to its end, and is unclean.
    lost: Option<io::Error>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl Recorder {
    /// Of a run that has not begun.
    pub fn new(journal: Writer, account: Account, observer: Box<dyn Observer>) -> Self {
        Self(Arc::new(Mutex::new(Inner { journal, account, observer, lost: None })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a record of now, and gives the moment back, nanoseconds of `CLOCK_BOOTTIME`.
    pub fn record(&self, record: Record) -> u64 {
        let mut inner = self.inner();
        // Under the lock, so that records are in the order of their times.
        let at = clock::now();
        let moment = Moment { at, record };
        if let Err(error) = inner.journal.write(&moment) {
            inner.lost.get_or_insert(error);
        }
        inner.account.take(&moment);
        let Inner { account, observer, .. } = &mut *inner;
        observer.record(&moment, account);
        at
    }

    /// A phase begins now.
    pub fn phase(&self, phase: Phase) -> u64 {
        self.record(Record::Phase { phase })
    }

    /// Something that the user ought to know.
    pub fn warn(&self, text: impl Into<String>) {
        self.record(Record::Warning { text: text.into() });
    }

    /// Asks the account.
    pub fn ask<T>(&self, question: impl FnOnce(&Account) -> T) -> T {
        question(&self.inner().account)
    }

    /// Asks the disk to keep the journal.
    pub fn sync(&self) {
        let mut inner = self.inner();
        if let Err(error) = inner.journal.sync() {
            inner.lost.get_or_insert(error);
        }
    }

    /// Why a record was lost, if one was.
    pub fn lost(&self) -> Option<String> {
        self.inner().lost.as_ref().map(ToString::to_string)
    }
}
