//! The ways to catch a system call, as a plan needs to know them: which there are, where each would catch a call, and
//! why it cannot. What attaches them is the kernel's (see [`crate::kernel::syscall`]).

use std::fmt;

use injector_common::code::{BackendCode, UnknownCode};

use crate::{
    operations::Operation,
    plan::unsupported::{Mechanism, Unsupported},
    syscalls::Entry,
};

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
    CallDelay,
    /// A program that sleeps, at a security hook.
    CallDelayHook,
}

impl BackendKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::FmodRet, Self::Kprobe, Self::Hook, Self::Kretprobe, Self::CallDelay, Self::CallDelayHook];

    /// Does it act when the call has run?
    pub const fn is_behind(self) -> bool {
        matches!(self, Self::Kretprobe)
    }

    /// How the kernel side knows it.
    pub const fn code(self) -> BackendCode {
        match self {
            Self::FmodRet => BackendCode::FMOD_RET,
            Self::Kprobe => BackendCode::KPROBE,
            Self::Hook => BackendCode::HOOK,
            Self::Kretprobe => BackendCode::KRETPROBE,
            Self::CallDelay => BackendCode::CALL_DELAY,
            Self::CallDelayHook => BackendCode::CALL_DELAY_HOOK,
        }
    }

    /// The same as it stands in a run of the call table.
    pub const fn number(self) -> u16 {
        #[expect(clippy::cast_possible_truncation, reason = "they are small")]
        let number = self.code().number() as u16;
        number
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        self.code().name()
    }
}

impl TryFrom<BackendCode> for BackendKind {
    type Error = UnknownCode;

    /// The backend for calls that the kernel side knows so; those for packets are none.
    fn try_from(code: BackendCode) -> Result<Self, UnknownCode> {
        Self::ALL.into_iter().find(|kind| kind.code() == code).ok_or(UnknownCode(code.number()))
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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

/// A way to make calls return something else, as far as a plan needs to know it.
pub trait Backend {
    /// Which one it is.
    fn kind(&self) -> BackendKind;

    /// Is it for calls that are to wait, and only for those?
    fn delays(&self) -> bool {
        false
    }

    /// Does it work on this kernel? Found out by loading and attaching.
    ///
    /// # Errors
    /// [`Unsupported`] with the reason and the remedy.
    fn can_run(&self) -> Result<(), Unsupported>;

    /// It works: it is in use already. Trying takes long on a busy machine, since what is attached for a trial
    /// has to be taken off again, and the kernel waits for all tasks then.
    fn assume(&self) {}

    /// Where it would catch `call` to return `verdicts`, or why it cannot.
    ///
    /// # Errors
    /// [`Unsupported`]: the call passes nowhere where it could catch it, or must not return one of these
    /// values there.
    fn sites(&self, call: &Entry, verdicts: Verdicts) -> Result<Sites, Unsupported>;

    /// Where it would catch `operation`, or why it cannot: operations pass security hooks only.
    ///
    /// # Errors
    /// [`Unsupported`]: it catches no operations, or not this one.
    fn operation_sites(&self, operation: &Operation) -> Result<Vec<Site>, Unsupported> {
        let why = format!("{operation} is caught at security hooks only");
        Err(Unsupported::missing(Mechanism::Hook, why, ""))
    }
}
