//! Ways to make a system call return something else, behind one trait: three at its entry, one when it has
//! run, two that make it wait as well. Each can say why it cannot run here, and where it would catch a call.

use std::{
    fmt,
    os::fd::{AsFd, OwnedFd},
};

use injector_common::event::{
    BACKEND_FMOD_RET, BACKEND_HOOK, BACKEND_KPROBE, BACKEND_KRETPROBE, BACKEND_NAP, BACKEND_NAP_HOOK,
};
use injector_common::shared::Shared;

pub mod fmod_ret;
pub mod hook;
pub mod kprobe;
pub mod kretprobe;
pub mod nap;
pub mod nap_hook;

pub use nap_hook::held_at;

use super::{
    btf::KernelBtf,
    object::{ObjectError, Ready},
    sys,
    unsupported::{Mechanism, Unsupported},
};
use crate::{operations::Operation, syscalls::Entry};

/// The way a call is caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackendKind {
    /// `fmod_ret` on the call's function.
    FmodRet,
    /// kprobe with override on the call's function.
    Kprobe,
    /// `fmod_ret` on a security hook.
    Hook,
    /// kretprobe with override on the call's function.
    Kretprobe,
    /// Programs that sleep, on the call's function.
    Nap,
    /// A program that sleeps, at a security hook.
    NapHook,
}

impl BackendKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::FmodRet, Self::Kprobe, Self::Hook, Self::Kretprobe, Self::Nap, Self::NapHook];

    /// Does it act when the call has run?
    pub const fn is_behind(self) -> bool {
        matches!(self, Self::Kretprobe)
    }

    /// The number by which the kernel side knows it.
    pub fn number(self) -> u16 {
        let number = match self {
            Self::FmodRet => BACKEND_FMOD_RET,
            Self::Kprobe => BACKEND_KPROBE,
            Self::Hook => BACKEND_HOOK,
            Self::Kretprobe => BACKEND_KRETPROBE,
            Self::Nap => BACKEND_NAP,
            Self::NapHook => BACKEND_NAP_HOOK,
        };
        u16::try_from(number).unwrap_or(0)
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FmodRet => "fmod_ret",
            Self::Kprobe => "kprobe",
            Self::Hook => "hook",
            Self::Kretprobe => "kretprobe",
            Self::Nap => "nap",
            Self::NapHook => "nap_hook",
        })
    }
}

/// Where a program has to sit to catch a call: one kernel function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// Who attaches there.
    pub backend: BackendKind,
    /// The function.
    pub function: String,
    /// For hooks, the number by which the call table refers to it; 0 otherwise.
    pub hook: u16,
}

/// The sites that catch a call: one, or several that never run in the same call. `mask` is what a hook's
/// mask has to contain, see [`injector_common::call::CallRules`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sites {
    /// The functions.
    pub sites: Vec<Site>,
    /// The mask, 0 for none.
    pub mask: u32,
}

/// What the rules of a call, all together, want it to return, and need to know of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a demand of its own")]
pub struct Verdicts {
    /// Is 0 among them? `fmod_ret` takes a 0 for "run the call".
    pub zero: bool,
    /// Is there one that a security hook must not return?
    pub unsafe_at_hooks: bool,
    /// Does a rule ask which file or socket the call is about?
    pub objects: bool,
    /// Does a rule ask what only a hook knows: the file that a path leads to, the peer of an address?
    pub by_hook: bool,
    /// Is the call to wait as well?
    pub wait: Wait,
}

/// When a call is to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// Not at all.
    #[default]
    Never,
    /// Before it runs.
    Before,
    /// When it has run, and maybe before as well.
    Behind,
}

impl Verdicts {
    /// Those of one rule.
    pub fn of(value: i64) -> Self {
        let unsafe_at_hooks = !injector_common::decide::safe_at_security_hook(value);
        Self { zero: value == 0, unsafe_at_hooks, ..Self::default() }
    }

    /// Those of one rule that gives its calls one of `values`, or none.
    pub fn of_all(values: &[i64]) -> Self {
        values.iter().fold(Self::default(), |all, value| all.or(Self::of(*value)))
    }

    /// Those of both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            zero: self.zero || other.zero,
            unsafe_at_hooks: self.unsafe_at_hooks || other.unsafe_at_hooks,
            objects: self.objects || other.objects,
            by_hook: self.by_hook || other.by_hook,
            wait: self.wait.max(other.wait),
        }
    }
}

/// A way to make calls return something else.
pub trait Backend {
    /// Which one it is.
    fn kind(&self) -> BackendKind;

    /// Is it for calls that are to wait, and only for those?
    fn delays(&self) -> bool {
        false
    }

    /// Does it work on this kernel? Found out by loading and attaching.
    fn can_run(&self) -> Result<(), Unsupported>;

    /// It works: it is in use already. Trying takes long on a busy machine, since what is attached for a trial
    /// has to be taken off again, and the kernel waits for all tasks then.
    fn assume(&self) {}

    /// Where it would catch `call` to return `verdicts`, or why it cannot.
    fn sites(&self, call: &Entry, verdicts: Verdicts) -> Result<Sites, Unsupported>;

    /// Where it would catch `operation`, or why it cannot: operations pass security hooks only.
    fn operation_sites(&self, operation: &Operation) -> Result<Vec<Site>, Unsupported> {
        let why = format!("{operation} is caught at security hooks only");
        Err(Unsupported::missing(Mechanism::Hook, why, ""))
    }

    /// Attaches at all `sites`, which are its own; as many programs as it takes, in the order of the sites.
    fn attach(&self, ready: &Ready, sites: &[&Site]) -> Result<Vec<Attached>, AttachError>;
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
    copies: Option<nap::Copies>,
}

impl Attached {
    /// Keeps the descriptors.
    pub(super) fn new(program: Option<OwnedFd>, link: OwnedFd) -> Self {
        Self { programs: program.into_iter().collect(), links: vec![link], copies: None }
    }

    /// The same for a program that decides, others that do not sleep, and those that do.
    fn with_copies(programs: Vec<OwnedFd>, links: Vec<OwnedFd>, copies: nap::Copies) -> Self {
        Self { programs, links, copies: Some(copies) }
    }

    /// The same for several programs, of which the first decides.
    fn of_several(programs: Vec<OwnedFd>, links: Vec<OwnedFd>) -> Self {
        Self { programs, links, copies: None }
    }

    /// Takes the programs off, and hands them out: as long as they are open, a thread that sleeps in front of
    /// one of them can go on to it.
    pub fn retire(self) -> Vec<OwnedFd> {
        let copies = self.copies.map(nap::Copies::retire).unwrap_or_default();
        self.programs.into_iter().chain(copies).collect()
    }

    /// More programs that sleep at one end, if there are any: how many there are then, `None` if there can be
    /// no more.
    pub fn grow(
        &mut self,
        ready: &Ready,
        shared: &Shared,
        end: nap::End,
    ) -> Result<Option<usize>, AttachError> {
        self.copies.as_mut().map_or(Ok(None), |copies| copies.grow_live(ready, shared, end))
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
pub fn backends(btf: &KernelBtf, fully_preemptible: bool, many: bool) -> Vec<Box<dyn Backend + '_>> {
    let fmod_ret = Box::new(fmod_ret::FmodRet::new(btf));
    let kprobe = Box::new(kprobe::Kprobe::new(btf));
    let hook = Box::new(hook::Hook::new(btf, fully_preemptible));
    let kretprobe = Box::new(kretprobe::Kretprobe::new(btf));
    let nap = Box::new(nap::Nap::new(btf));
    let nap_hook = Box::new(nap_hook::NapHook::new(btf));
    if fully_preemptible || many {
        vec![kprobe, fmod_ret, hook, kretprobe, nap, nap_hook]
    } else {
        vec![fmod_ret, kprobe, hook, kretprobe, nap, nap_hook]
    }
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
