//! Numbers that stand for one of a few things and cross between the programs and user space: a type for each, so that
//! none is taken for another.

use core::{error::Error, fmt};

use bytemuck::{Pod, Zeroable};

/// A number that stands for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCode(pub u32);

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} stands for nothing", self.0)
    }
}

impl Error for UnknownCode {}

/// Makes the type of a number, with what it can stand for.
macro_rules! code {
    ($(#[$about:meta])+ $name:ident { $($(#[$meaning:meta])+ $value:ident = $number:literal,)+ }) => {
        $(#[$about])+
        ///
        /// As memory that the other side wrote it can be any number; [`TryFrom`] takes those that stand for something.
        #[repr(transparent)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
        pub struct $name(u32);

        impl $name {
            $($(#[$meaning])+ pub const $value: Self = Self($number);)+

            /// As it crosses.
            #[inline(always)]
            #[must_use]
            pub const fn number(self) -> u32 {
                self.0
            }
        }

        impl TryFrom<u32> for $name {
            type Error = UnknownCode;

            fn try_from(number: u32) -> Result<Self, UnknownCode> {
                match number {
                    $($number => Ok(Self::$value),)+
                    _ => Err(UnknownCode(number)),
                }
            }
        }
    };
}

code! {
    /// Which mechanism acts.
    BackendCode {
        /// `fmod_ret` on the system call's own function.
        FMOD_RET = 1,
        /// kprobe with `bpf_override_return`.
        KPROBE = 2,
        /// `fmod_ret` on a security hook.
        HOOK = 3,
        /// The cgroup's own packet hook.
        CGROUP_SKB = 4,
        /// Traffic control at a device's egress.
        TC = 5,
        /// kretprobe with `bpf_override_return`, when the call has run.
        KRETPROBE = 6,
        /// Programs that sleep, on the system call's own function.
        CALL_DELAY = 7,
        /// A program that sleeps, at a security hook.
        CALL_DELAY_HOOK = 8,
        /// The far end of the delay line.
        DELAY_LINE = 9,
        /// The cgroup's own hook in connect(2).
        CGROUP_CONNECT = 10,
    }
}

impl BackendCode {
    /// Every backend with the word that the log, `injector doctor` and messages use for it.
    pub const NAMES: [(Self, &str); 10] = [
        (Self::FMOD_RET, "fmod_ret"),
        (Self::KPROBE, "kprobe"),
        (Self::HOOK, "hook"),
        (Self::CGROUP_SKB, "cgroup_skb"),
        (Self::TC, "tc"),
        (Self::KRETPROBE, "kretprobe"),
        (Self::CALL_DELAY, "call_delay"),
        (Self::CALL_DELAY_HOOK, "call_delay_hook"),
        (Self::DELAY_LINE, "delay_line"),
        (Self::CGROUP_CONNECT, "cgroup_connect"),
    ];

    /// The word for it; `unknown` for a number that stands for none.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(code, _)| *code == self).map_or("unknown", |(_, name)| name)
    }
}

code! {
    /// What a rule does to a call or a packet.
    FaultCode {
        /// The call's result stays its own; there is a signal, or a delay.
        NONE = 0,
        /// The call returns [`crate::rule::Rule::value`].
        RETURN = 1,
        /// The packet is dropped.
        DROP = 2,
        /// The call returns one of [`crate::rule::Rule::choices`].
        CHOICE = 3,
        /// Packets meet what [`crate::rule::Rule::netem`] says.
        NETEM = 4,
        /// The packet is dropped and answered as [`crate::rule::Rule::value`] asks, see [`crate::reject`].
        REJECT = 5,
        /// A question for a name is dropped and answered as [`crate::rule::Rule::value`] asks, see [`crate::dns`].
        DNS = 6,
    }
}

code! {
    /// At which moment of a call a rule is asked.
    MomentCode {
        /// Before the call runs; it does not run then.
        ENTRY = 0,
        /// When it has run, whatever came of it.
        EXIT = 1,
        /// When it has run and is about to return no error.
        SUCCESS = 2,
        /// When it has run and is about to return an error.
        FAILURE = 3,
    }
}

code! {
    /// Which matches of a rule are counted together.
    ScopeCode {
        /// Those of a thread.
        THREAD = 0,
        /// Those of all threads of a process.
        PROCESS = 1,
        /// All.
        RULE = 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_taken_if_it_stands_for_something() {
        for (code, name) in BackendCode::NAMES {
            assert_eq!((BackendCode::try_from(code.number()), code.name()), (Ok(code), name));
        }
        assert_eq!(BackendCode::try_from(0), Err(UnknownCode(0)));
        assert_eq!(BackendCode::try_from(11), Err(UnknownCode(11)));
        assert_eq!(<BackendCode as Zeroable>::zeroed().name(), "unknown");
        assert_eq!(FaultCode::try_from(6), Ok(FaultCode::DNS));
        assert_eq!(MomentCode::try_from(4), Err(UnknownCode(4)));
        assert_eq!(ScopeCode::try_from(2), Ok(ScopeCode::RULE));
    }
}
