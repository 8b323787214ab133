//! Exit codes: a function of what went wrong, never chosen in passing.

use injector::{
    engine::{Blame, EngineError, control::ControlError},
    printable::Printable,
    spec::SpecError,
    target::{CommandError, IdentityError, TargetError},
};
use serde::Serialize;
use std::process::ExitCode;

use crate::cli::retyped;

/// An exit code of ours, or of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Code(u8);

impl Code {
    pub(super) const OK: Self = Self(0);
    /// It ran and failed: a rule that never fired under `--expect-fired`.
    pub(super) const FAILED: Self = Self(1);
    pub(super) const USAGE: Self = Self(2);
    pub(super) const KERNEL: Self = Self(3);
    pub(super) const PERMISSION: Self = Self(4);
    pub(super) const UNCLEAN: Self = Self(6);
    /// Whatever is ours under `run`.
    pub(super) const RUN_FAILED: Self = Self(125);

    /// A command's own code.
    pub(super) fn of_command(code: i32) -> Self {
        Self(u8::try_from(code).unwrap_or(u8::MAX))
    }

    pub(super) fn is_ok(self) -> bool {
        self == Self::OK
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.0)
    }
}

/// A message in three parts, and the code that goes with it.
#[derive(Debug)]
pub(super) struct Failure {
    /// What failed on which object, and the cause.
    pub(super) message: String,
    /// What to do; may be empty.
    pub(super) hint: String,
    pub(super) code: Code,
}

impl Failure {
    pub(super) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), code: Code::USAGE }
    }

    pub(super) fn other(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), code: Code::FAILED }
    }

    /// The code under `run`: 125, except what env(1) has codes for.
    pub(super) fn code_under_run(&self) -> Code {
        match self.code {
            Code(126 | 127) => self.code,
            _ => Code::RUN_FAILED,
        }
    }
}

impl From<SpecError> for Failure {
    fn from(error: SpecError) -> Self {
        // A line end in it would look like one of ours.
        let message = format!("{}\n{}", Printable(&error), error.caret());
        Self { message, hint: error.hint(), code: Code::USAGE }
    }
}

impl From<Blame> for Code {
    fn from(blame: Blame) -> Self {
        match blame {
            Blame::Usage => Self::USAGE,
            Blame::Kernel => Self::KERNEL,
            Blame::Permission => Self::PERMISSION,
            Blame::Other => Self::FAILED,
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let hint = error.hint();
        // Ready to be typed, where the rule comes from this command line.
        let typed =
            error.instead().and_then(|(rule, instead)| retyped::with(std::env::args_os(), rule, instead));
        let hint = typed.map_or(hint.clone(), |command| format!("{hint}\ntype: {command}"));
        Self { message: error.to_string(), hint, code: error.blame().into() }
    }
}

impl From<anyhow::Error> for Failure {
    /// What has no cause that a hint would help with: the context, then each cause behind it.
    fn from(error: anyhow::Error) -> Self {
        Self::other(format!("{error:#}"), "")
    }
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        Self { message: error.to_string(), hint: error.hint(), code: error.blame().into() }
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        EngineError::from(error).into()
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        Self::usage(error.to_string(), error.hint())
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        Self { message: error.to_string(), hint: error.hint(), code: Code(error.exit_code()) }
    }
}
