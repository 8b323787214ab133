//! Ways to make a system call return something else, behind one trait: three at its entry, one when it has
//! run, two that make it wait as well. Each can say why it cannot run here, and where it would catch a call.

use std::os::fd::{AsFd, OwnedFd};

use injector_common::shared::Shared;

pub mod delay;
pub mod delay_hook;
pub mod fmod_ret;
pub mod hook;
pub mod kprobe;
pub mod kretprobe;

use crate::{
    kernel::bpf::{
        btf::KernelBtf,
        loader::{LoadedObject, ObjectError},
        sys,
    },
    plan::{
        backend::{Backend, Site},
        unsupported::{Mechanism, Unsupported},
    },
    syscalls::Entry,
};

/// What attaches the programs of a backend.
pub trait Attach: Backend {
    /// Attaches at all `sites`, which are its own; as many programs as it takes, in the order of the sites.
    ///
    /// # Errors
    /// [`AttachError`]: the kernel refuses a program or a link, or has no function of that name.
    fn attach(&self, object: &LoadedObject, sites: &[&Site]) -> Result<Vec<Attached>, AttachError>;
}

/// Why a program could not be attached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// It was not even loaded.
    #[error(transparent)]
    Load(#[from] ObjectError),
    /// The kernel refused to attach it.
    #[error("the kernel refused to attach a program to {function} by {backend}: {source}")]
    Attach {
        /// The function.
        function: String,
        /// The way.
        backend: String,
        /// Why.
        source: std::io::Error,
    },
    /// The function is not in the kernel's types.
    #[error("the kernel's types name no function {0}")]
    NoFunction(String),
}

/// A program that sits at a function. Dropping it takes it away.
#[derive(Debug)]
pub struct Attached {
    /// The first decides, and its misses are counted. The link alone keeps a program running; others are
    /// here to be kept when it is gone, see [`Attached::retire`].
    programs: Vec<OwnedFd>,
    links: Vec<OwnedFd>,
    /// Of those that sleep there can be more.
    copies: Option<delay::Copies>,
}

impl Attached {
    /// Keeps the descriptors.
    pub(super) fn new(program: Option<OwnedFd>, link: OwnedFd) -> Self {
        Self { programs: program.into_iter().collect(), links: vec![link], copies: None }
    }

    /// The same for a program that decides, others that do not sleep, and those that do.
    fn with_copies(programs: Vec<OwnedFd>, links: Vec<OwnedFd>, copies: delay::Copies) -> Self {
        Self { programs, links, copies: Some(copies) }
    }

    /// The same for several programs, of which the first decides.
    fn of_several(programs: Vec<OwnedFd>, links: Vec<OwnedFd>) -> Self {
        Self { programs, links, copies: None }
    }

    /// Takes the programs off, and hands them out: as long as they are open, a thread that sleeps in front of
    /// one of them can go on to it.
    pub fn retire(self) -> Vec<OwnedFd> {
        let copies = self.copies.map(delay::Copies::retire).unwrap_or_default();
        self.programs.into_iter().chain(copies).collect()
    }

    /// More programs that sleep at one end, if there are any: how many there are then, `None` if there can be
    /// no more.
    ///
    /// # Errors
    /// [`AttachError`]: the kernel refuses one more.
    pub fn grow(
        &mut self,
        object: &LoadedObject,
        shared: &Shared,
        end: delay::End,
    ) -> Result<Option<usize>, AttachError> {
        self.copies.as_mut().map_or(Ok(None), |copies| copies.grow_live(object, shared, end))
    }

    /// How often the kernel skipped the program: because it was running already, or because a kretprobe had no
    /// room for one more call. A program that serves many links counts at one of them.
    pub fn misses(&self) -> u64 {
        let of_program = self.programs.first().and_then(|program| sys::program_misses(program.as_fd()).ok());
        let of_link = self.links.first().and_then(|link| sys::link_misses(link.as_fd()).ok());
        of_program.unwrap_or(0) + of_link.unwrap_or(0)
    }
}

/// All backends, the cheapest for everybody else first.
///
/// On a fully preemptible kernel the kprobe comes first: a program that another task interrupts is not
/// run for that other task, and is counted as missed, except in a kprobe, which cannot be interrupted
/// (kernel/bpf/trampoline.c, `__bpf_prog_enter_recur`; arch/x86/kernel/kprobes/ftrace.c). So it does for
/// `many` calls: it attaches to all their functions at once, where `fmod_ret` has to change the kernel's
/// code function by function.
pub fn backends(btf: &KernelBtf, fully_preemptible: bool, many: bool) -> Vec<Box<dyn Attach + '_>> {
    let fmod_ret = Box::new(fmod_ret::FmodRet::new(btf));
    let kprobe = Box::new(kprobe::Kprobe::new(btf));
    let hook = Box::new(hook::Hook::new(btf, fully_preemptible));
    let kretprobe = Box::new(kretprobe::Kretprobe::new(btf));
    let call_delay = Box::new(delay::CallDelay::new(btf));
    let call_delay_hook = Box::new(delay_hook::CallDelayHook::new(btf));
    if fully_preemptible || many {
        vec![kprobe, fmod_ret, hook, kretprobe, call_delay, call_delay_hook]
    } else {
        vec![fmod_ret, kprobe, hook, kretprobe, call_delay, call_delay_hook]
    }
}

/// `backends` as a plan knows them.
pub fn for_planning<'a>(backends: &'a [Box<dyn Attach + 'a>]) -> Vec<&'a dyn Backend> {
    backends.iter().map(|backend| &**backend as &dyn Backend).collect()
}

/// Only a security hook knows what a path leads to, and whom an address means.
fn by_hook_only(mechanism: Mechanism, call: &Entry) -> Unsupported {
    Unsupported::missing(
        mechanism,
        format!("which file or peer {} is about is known at its security hook only", call.name),
        "ask for its arguments instead, such as `fd=3`, or leave `path=`, `peer=` and `port=` out",
    )
}

/// The function of `call` that this kernel has.
fn entry_function(btf: &KernelBtf, call: &Entry) -> Option<String> {
    call.entry_points().into_iter().find(|name| btf.function(name).is_some())
}
