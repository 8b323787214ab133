//! The warden's life: it hears what would have to be undone until the runner is gone, does what is left of that, latest
//! first, and ends.

use std::{
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::net::UnixStream,
    },
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::SigSet,
};

use crate::{
    clock,
    experiment::{
        journal::{Moment, Record, Undo, Writer},
        warden::{
            message::Message,
            undo::{meaning, undo},
        },
    },
};

/// All that it knows.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    left: Vec<Undo>,
    journal: Option<Writer>,
    deadline: Option<u64>,
    /// A line that has not ended yet.
    rest: Vec<u8>,
}

/// All of its life. `runner` is a pidfd.
pub(super) fn watch(stream: &UnixStream, runner: BorrowedFd<'_>) {
    // Whoever ends the injector by its name, or from its terminal, means the runner; this one goes by itself.
    let _ = SigSet::all().thread_block();
    let mut ledger = Ledger::default();
    let _ = stream.set_nonblocking(true);
    loop {
        let mut ends = [stream.as_fd(), runner].map(|end| PollFd::new(end, PollFlags::POLLIN));
        let _ = poll(&mut ends, ledger.patience());
        let dead = ends[1].any().unwrap_or(true);
        let over = ledger.hear(stream);
        if dead || over {
            break;
        }
        ledger.keep_deadline();
    }
    if let Some(journal) = ledger.journal.as_mut().filter(|_| !ledger.left.is_empty()) {
        // The runner, which would write the rest of a line, is gone.
        let _ = journal.mend();
    }
    let failed = ledger.undo(|_| true);
    // Whoever let it go reads this; nobody does if the runner was killed.
    let _ = stream.set_nonblocking(false);
    let _ = (&mut &*stream).write_all(failed.join("\n").as_bytes());
}

impl Ledger {
    /// Takes in all that was said; whether there will be no more.
    fn hear(&mut self, mut stream: &UnixStream) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return true,
                Ok(length) => self.take_in(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Takes in a part of what was said.
    pub(super) fn take_in(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(Message::Will(undo)) => self.left.push(undo),
                Ok(Message::Undone(undo)) => {
                    if let Some(at) = self.left.iter().rposition(|left| *left == undo) {
                        self.left.remove(at);
                    }
                }
                Ok(Message::Journal(folder)) => self.journal = Writer::open(&folder).ok(),
                Ok(Message::Deadline(at)) => self.deadline = Some(at),
                // Only a runner of another version says what is unknown here, and it is the same program.
                Err(_) => {}
            }
        }
    }

    /// How long nothing is to be done but to listen.
    fn patience(&self) -> PollTimeout {
        let Some(deadline) = self.deadline else { return PollTimeout::NONE };
        let left = deadline.saturating_sub(clock::now()).div_ceil(1_000_000);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    }

    fn keep_deadline(&mut self) {
        if self.deadline.is_some_and(|deadline| deadline <= clock::now()) {
            self.deadline = None;
            self.undo(|undo| !matches!(undo, Undo::RemoveCgroup(_)));
        }
    }

    /// Undoes what is left of those that are `meant`, latest first, and gives what cannot be undone.
    fn undo(&mut self, meant: impl Fn(&Undo) -> bool) -> Vec<String> {
        let (now, later) =
            std::mem::take(&mut self.left).into_iter().partition::<Vec<_>, _>(|one| meant(one));
        self.left = later;
        let mut failed = Vec::new();
        for one in now.iter().rev() {
            match undo(one) {
                Ok(()) => {
                    let record = Record::Undone { undo: one.clone() };
                    if let Some(journal) = &mut self.journal {
                        // `recover` would do it once more, which does no harm.
                        let _ = journal.write(&Moment { at: clock::now(), record });
                    }
                }
                Err(error) => failed.push(format!("{}: {error}", meaning(one))),
            }
        }
        failed
    }

    /// What would be undone now, in the order in which it was told.
    #[cfg(test)]
    pub(super) fn left(&self) -> &[Undo] {
        &self.left
    }
}
