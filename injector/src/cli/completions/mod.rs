//! `injector completions`, and the answers that its scripts ask for. They know what lives (plans, units, containers, pods,
//! cgroups, processes) and the language of rules, from the tables of the help.

mod bash;
mod live;
mod rule;

use std::env;

use clap::{Args, ValueEnum};
use clap_complete::env::{CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};

pub(super) use self::{
    live::{cgroups, containers, labels, numbers, plans, pods, processes, units},
    rule::{actions_on_processes, expressions, operations, packets, syscalls},
};
use crate::cli::{
    command,
    completions::bash::Bash,
    exit::{Code, Failure},
    output,
};

/// Set by a script that asks.
const VARIABLE: &str = "INJECTOR_COMPLETE";

/// Those that there are scripts for.
const SHELLS: Shells<'static> = Shells(&[&Bash, &Elvish, &Fish, &Powershell, &Zsh]);

/// Print a completion script for a shell
///
/// The script asks this program for each word, so that it knows live plans, units, containers, cgroups, calls and errnos.
/// Plans are known to root only.
#[derive(Args, Debug)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

/// A shell that completes words.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

impl Shell {
    fn script(self) -> &'static dyn EnvCompleter {
        match self {
            Self::Bash => &Bash,
            Self::Elvish => &Elvish,
            Self::Fish => &Fish,
            Self::Powershell => &Powershell,
            Self::Zsh => &Zsh,
        }
    }
}

impl Completions {
    pub(super) fn run(self) -> Result<Code, Failure> {
        const PROGRAM: &str = "injector";
        let mut script = Vec::new();
        let written =
            self.shell.script().write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script);
        written.map_err(|error| Failure::other(format!("cannot write the script: {error}"), ""))?;
        output::out(&String::from_utf8_lossy(&script)).map(|()| Code::OK)
    }
}

/// Answers a shell, if one asks. Nothing may have been written before.
pub(super) fn answer() -> Option<Code> {
    env::var_os(VARIABLE)?;
    let answer = CompleteEnv::with_factory(command).var(VARIABLE).shells(SHELLS);
    match answer.try_complete(env::args_os(), env::current_dir().ok().as_deref()) {
        Ok(true) => Some(Code::OK),
        Ok(false) => None,
        // A shell shows nothing of what is said while a word is completed.
        Err(_) => Some(Code::FAILED),
    }
}
