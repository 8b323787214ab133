//! Programs that sleep, on the function of a system call: a decision at the entry, and who carries it out
//! behind it (see the kernel side, `calls::delay`). A program that sleeps is skipped on its processor until it is
//! awake, so there are several of it, and more when one was missed.

use std::{
    cell::OnceCell,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::atomic::Ordering::{Relaxed, Release},
};

use injector_common::shared::Shared;

use crate::{
    kernel::{
        bpf::{btf::KernelBtf, kind::Kind, loader::LoadedObject, sys},
        probe,
        sleep::Numbers,
        syscall::{
            Attach, AttachError, Attached,
            fmod_ret::{FmodRet, function_id},
        },
    },
    plan::{
        backend::{Backend, BackendKind, Site, Sites, Verdicts},
        unsupported::{Mechanism, Unsupported},
    },
    syscalls::Entry,
};

/// Programs that sleep at each end of a call, to begin with.
const FIRST: usize = 2;

/// Programs that sleep at one function, at most: what a trampoline holds (`BPF_MAX_TRAMP_LINKS`,
/// include/linux/bpf.h), less those that do not sleep.
pub const MOST: usize = 38 - 3;

/// The backend `call_delay`: programs that sleep at the function of a system call.
pub struct CallDelay<'a> {
    btf: &'a KernelBtf,
    /// Finds functions in the same way.
    fmod_ret: FmodRet<'a>,
    probed: OnceCell<Result<(), Unsupported>>,
}

impl<'a> CallDelay<'a> {
    /// Nothing is tried yet.
    pub fn new(btf: &'a KernelBtf) -> Self {
        Self { btf, fmod_ret: FmodRet::new(btf), probed: OnceCell::new() }
    }

    fn attach_one(&self, object: &LoadedObject, function: &str) -> Result<Attached, AttachError> {
        let id = function_id(self.btf, function)?;
        let mut copies = Copies {
            function: function.into(),
            id,
            before: Vec::new(),
            behind: Vec::new(),
            others: Vec::new(),
        };
        // Of those at the exit the first that was attached runs last, and so it does of all fmod_ret
        // (kernel/bpf/trampoline.c: hlist_add_head). They never sleep, but they are of the kind that may: the
        // kernel frees those only when nobody sleeps in a program in front of them.
        let missed = copies.attach(object, "delay_missed", Kind::ExitSleepable(id), 0)?;
        let verdict = copies.attach(object, "delay_verdict", Kind::ModifyReturnSleepable(id), 0)?;
        copies.grow(object, End::Before, 0)?;
        copies.grow(object, End::Behind, 0)?;
        // Last: from here on somebody may be told to sleep.
        let decide = copies.attach(object, "delay_decide", Kind::Entry(id), 0)?;
        let (programs, links) = [decide, verdict, missed].into_iter().unzip();
        Ok(Attached::with_copies(programs, links, copies))
    }
}

impl Backend for CallDelay<'_> {
    fn kind(&self) -> BackendKind {
        BackendKind::CallDelay
    }

    fn delays(&self) -> bool {
        true
    }

    fn can_run(&self) -> Result<(), Unsupported> {
        self.probed.get_or_init(|| probe::probe(Mechanism::CallDelay, self.btf)).clone()
    }

    fn assume(&self) {
        // Already tried, if this fails.
        let _ = self.probed.set(Ok(()));
        self.fmod_ret.assume();
    }

    fn sites(&self, call: &Entry, verdicts: Verdicts) -> Result<Sites, Unsupported> {
        self.can_run()?;
        if verdicts.zero {
            return Err(Unsupported::missing(
                Mechanism::CallDelay,
                "it cannot return 0, which means \"run the call\"",
                "leave out the delay or retval=0, also where they are in two rules on that call: what can return 0 \
                 cannot make it wait",
            ));
        }
        self.fmod_ret.assume();
        let told = |cause: Unsupported| Unsupported { mechanism: Mechanism::CallDelay, ..cause };
        let mut found = self.fmod_ret.sites(call, verdicts).map_err(told)?;
        for site in &mut found.sites {
            site.backend = BackendKind::CallDelay;
        }
        Ok(found)
    }
}

impl Attach for CallDelay<'_> {
    fn attach(&self, object: &LoadedObject, sites: &[&Site]) -> Result<Vec<Attached>, AttachError> {
        sites.iter().map(|site| self.attach_one(object, &site.function)).collect()
    }
}

/// An end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its entry.
    Before,
    /// When it has run.
    Behind,
}

/// The programs that sleep at a function.
#[derive(Debug)]
pub(super) struct Copies {
    function: String,
    id: u32,
    before: Vec<Copy>,
    behind: Vec<Copy>,
    /// Programs of others at the function: those that stand behind ours are not to go while somebody sleeps
    /// in front of them.
    others: Vec<OwnedFd>,
}

/// A program and its link.
type Copy = (OwnedFd, OwnedFd);

impl Copies {
    /// Takes them off; what is left are the programs.
    pub(super) fn retire(self) -> Vec<OwnedFd> {
        let copies = self.before.into_iter().chain(self.behind).map(|(program, _)| program);
        copies.chain(self.others).collect()
    }

    fn refused(&self, source: io::Error) -> AttachError {
        let (function, backend) = (self.function.clone(), BackendKind::CallDelay.to_string());
        AttachError::Attach { function, backend, source }
    }

    fn attach(
        &self,
        object: &LoadedObject,
        program: &str,
        kind: Kind,
        batch: u64,
    ) -> Result<Copy, AttachError> {
        let program = object.load(program, &self.function, kind)?;
        let attach = || {
            let link = sys::link_tracing(program.as_fd(), kind.numbers().1, batch)?;
            Numbers::now()?.give(program, &link)
        };
        attach().map_err(|source| self.refused(source))
    }

    /// The same while calls are delayed. Nobody sleeps in the new ones before it is known what is behind them.
    pub(super) fn grow_live(
        &mut self,
        object: &LoadedObject,
        shared: &Shared,
        end: End,
    ) -> Result<Option<usize>, AttachError> {
        let batch = shared.copies.load(Relaxed) + 1;
        let count = self.grow(object, end, batch)?;
        shared.copies.store(batch, Release);
        Ok(count)
    }

    /// Twice as many at one end, as far as there is room; says how many there are then, `None` if there is no
    /// room for any more.
    fn grow(&mut self, object: &LoadedObject, end: End, batch: u64) -> Result<Option<usize>, AttachError> {
        let (program, kind, now) = match end {
            End::Before => ("delay_before", Kind::ModifyReturnSleepable(self.id), self.before.len()),
            End::Behind => ("delay_behind", Kind::ExitSleepable(self.id), self.behind.len()),
        };
        let room = MOST - self.before.len() - self.behind.len();
        let more = now.max(FIRST).min(room);
        for _ in 0..more {
            let copy = self.attach(object, program, kind, batch)?;
            match end {
                End::Before => self.before.push(copy),
                End::Behind => self.behind.push(copy),
            }
        }
        if more == 0 {
            return Ok(None);
        }
        // Those that were there before stay as well.
        let others = programs_at(self.id).map_err(|source| self.refused(source))?;
        self.others.extend(others);
        Ok(Some(now + more))
    }
}

/// All programs at a function, held at numbers of programs.
pub(super) fn programs_at(function: u32) -> io::Result<Vec<OwnedFd>> {
    let (numbers, found) = (Numbers::now()?, sys::programs_at(function)?);
    found.iter().try_for_each(|program| numbers.check(program))?;
    Ok(found)
}
