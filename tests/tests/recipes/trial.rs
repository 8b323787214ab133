//! A recipe on trial: its own command, aimed at a cgroup with a small program in it that says what it meets.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use injector_tests::{
    cgroup::{self, Scratch},
    injector::Injector,
    patience::{LONG, until},
    postgres,
};

use crate::document::Recipe;

/// Where the recipes have the unit's files.
const FILES: &str = "/var/lib/app";

/// How a program ends that meets the failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself, with exit code 0.
    Good,
    /// The same, but not before the plan has ended.
    AfterThePlan,
    /// By SIGKILL.
    Killed,
}

/// A recipe, and a program to try it on.
#[derive(Debug)]
pub(crate) struct Trial {
    /// The recipe's heading.
    pub(crate) symptom: &'static str,
    /// The program, for a shell. It says `ready` when it is up, and reads a line: then the rules act. Its exit code is
    /// 0 if it met what the recipe says.
    pub(crate) program: &'static str,
    /// Words that it prints, and that the recipe has told.
    pub(crate) says: &'static [&'static str],
    pub(crate) end: End,
}

/// Makes all of the trials at the same time. What went wrong is one error.
pub(crate) fn all(trials: &[Trial]) -> Result<()> {
    fs::create_dir_all(FILES)?;
    let failures: Vec<_> = thread::scope(|scope| {
        let threads = trials.iter().map(|trial| (trial, scope.spawn(|| trial.run())));
        let threads: Vec<_> = threads.collect();
        let ended = threads.into_iter().map(|(trial, thread)| (trial.symptom, thread.join()));
        let failed = ended.filter_map(|(symptom, outcome)| match outcome {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{symptom}: {error:#}")),
            Err(_) => Some(format!("{symptom}: a panic")),
        });
        failed.collect()
    });
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

impl Trial {
    fn run(&self) -> Result<()> {
        let recipe = Recipe::of(self.symptom)?;
        for words in self.says {
            ensure!(recipe.text.contains(words), "the recipe does not tell of `{words}`");
        }
        let (scratch, unit) = (Scratch::new()?, self.symptom.replace(|c: char| !c.is_alphanumeric(), "-"));
        let cgroup = scratch.make(&format!("system.slice/{unit}.service"))?;
        let mut program = cgroup::spawn_in(&cgroup, &mut self.command()?)?;
        let mut output = BufReader::new(program.stdout.take().context("no stdout")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        ensure!(line == "ready\n", "the program says {line:?}");

        let mut injector = injector(&recipe, &unit)?.json().start()?;
        injector.begun()?;
        program.stdin.take().context("no stdin")?.write_all(b"go\n")?;
        if self.end == End::AfterThePlan {
            thread::sleep(Duration::from_secs(2));
            ensure!(program.try_wait()?.is_none(), "the program ended before the plan");
            drop(injector.interrupt()?.expect(0)?);
            return self.check(program.wait()?, output);
        }
        until("the program's end", LONG, || Ok(program.try_wait()?.is_some()))?;
        self.check(program.wait()?, output)?;
        let report = injector.interrupt()?.expect(0)?.report()?;
        ensure!(report.rules.iter().all(|rule| rule.fired > 0), "{:?}", report.rules);
        Ok(())
    }

    fn command(&self) -> Result<Command> {
        let mut command = Command::new("sh");
        // psql is the program itself: the one on the path is a script that looks for it.
        let programs = postgres::programs()?;
        command.args(["-c", &format!("PATH={}:$PATH; exec 2>&1; {}", programs.display(), self.program)]);
        command.current_dir(Path::new(FILES)).stdin(Stdio::piped()).stdout(Stdio::piped());
        Ok(command)
    }

    fn check(&self, status: ExitStatus, mut output: impl Read) -> Result<()> {
        let mut said = String::new();
        output.read_to_string(&mut said)?;
        eprintln!("{}: {status}: {}", self.symptom, said.trim_end());
        let ended = if self.end == End::Killed { status.signal() == Some(9) } else { status.success() };
        ensure!(ended, "the program ended with {status}, and said: {said}");
        match self.says.iter().find(|words| !said.contains(**words)) {
            Some(words) => bail!("the program did not say `{words}`, but: {said}"),
            None => Ok(()),
        }
    }
}

/// The recipe's command with another unit's name in it.
pub(crate) fn injector(recipe: &Recipe, unit: &str) -> Result<Injector> {
    let aimed = recipe.command.replace("--unit app ", &format!("--unit {unit} "));
    ensure!(aimed != recipe.command, "the recipe is not for the unit `app`: {}", recipe.command);
    let words = shlex::split(&aimed).with_context(|| format!("no line for a shell: {aimed}"))?;
    let (program, words) = words.split_first().context("no command")?;
    ensure!(program == "injector", "{aimed}");
    Injector::new(words)
}
