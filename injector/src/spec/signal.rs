//! Signals by name and by number, as strace's `signal=` takes them.

use std::{fmt, str::FromStr};

use nix::sys::signal::Signal as Named;

use crate::spec::{error::Located, nearest::nearest, problem::ValueProblem, word::Word};

/// A signal, 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signal(u8);

/// The names of all signals but the real-time ones.
pub fn names() -> impl Iterator<Item = &'static str> {
    Named::iterator().map(Named::as_str)
}

/// The kernel's first real-time signal (include/uapi/asm-generic/signal.h). glibc keeps two for itself, so
/// its SIGRTMIN is 34; strace means the kernel's.
const RTMIN: u8 = 32;

impl Signal {
    /// The terminal is gone; daemons read their configuration anew.
    pub const HUP: Self = Self(Named::SIGHUP as u8);
    /// Somebody has pressed Ctrl-C.
    pub const INT: Self = Self(Named::SIGINT as u8);
    /// Ends a process whatever it wants.
    pub const KILL: Self = Self(Named::SIGKILL as u8);
    /// Means what the program says.
    pub const USR1: Self = Self(Named::SIGUSR1 as u8);
    /// Means what the program says.
    pub const USR2: Self = Self(Named::SIGUSR2 as u8);
    /// Asks a process to end.
    pub const TERM: Self = Self(Named::SIGTERM as u8);
    /// The highest number (`_NSIG`).
    pub const MAX: u8 = 64;

    /// The signal with this number.
    pub const fn new(number: u8) -> Option<Self> {
        if matches!(number, 1..=Self::MAX) { Some(Self(number)) } else { None }
    }

    /// Does it leave a process stopped?
    pub fn stops(self) -> bool {
        let stopping = [Named::SIGSTOP, Named::SIGTSTP, Named::SIGTTIN, Named::SIGTTOU];
        stopping.into_iter().any(|named| Self::of(named) == Some(self))
    }

    /// The signal of this name or number; `None` if it is none.
    pub fn from_name(text: &str) -> Option<Self> {
        Self::parse(Word::whole(text.trim())).ok()
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Reads `SIGUSR1`, `usr1`, `10`, `SIGRT_3` or `RTMIN+3`.
    pub(super) fn parse(word: Word<'_>) -> Result<Self, Located> {
        if word.text.bytes().all(|byte| byte.is_ascii_digit()) {
            let number = word.decimal().and_then(Self::new);
            return number.ok_or_else(|| word.problem(ValueProblem::SignalRange(word.text.into())));
        }
        let upper = word.text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let real_time = name.strip_prefix("RT_").or_else(|| name.strip_prefix("RTMIN+"));
        let known = match (name, real_time) {
            ("RTMIN", _) => Self::new(RTMIN),
            (_, Some(nth)) => {
                let nth = nth.parse::<u8>().ok().and_then(|nth| nth.checked_add(RTMIN));
                return nth
                    .and_then(Self::new)
                    .ok_or_else(|| word.problem(ValueProblem::SignalRange(word.text.into())));
            }
            // Other names of the same numbers.
            ("POLL", _) => Self::of(Named::SIGIO),
            ("IOT", _) => Self::of(Named::SIGABRT),
            ("CLD", _) => Self::of(Named::SIGCHLD),
            _ => Named::from_str(&format!("SIG{name}")).ok().and_then(Self::of),
        };
        known.ok_or_else(|| {
            // As kill(1) has it.
            let plain = word.text.trim_start_matches('-');
            if plain != word.text
                && let Ok(signal) = Self::parse(Word::whole(plain))
            {
                let near = Some(signal.to_string());
                return word.problem(ValueProblem::UnknownSignal { word: word.text.into(), near });
            }
            let names = Named::iterator().map(|signal| signal.as_str().trim_start_matches("SIG"));
            let near = nearest(name, names).map(|near| format!("SIG{near}"));
            word.problem(ValueProblem::UnknownSignal { word: word.text.into(), near })
        })
    }

    fn of(named: Named) -> Option<Self> {
        u8::try_from(named as i32).ok().and_then(Self::new)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Named::try_from(i32::from(self.0)) {
            Ok(named) => f.write_str(named.as_str()),
            Err(_) => write!(f, "SIGRT_{}", self.0.saturating_sub(RTMIN)),
        }
    }
}
