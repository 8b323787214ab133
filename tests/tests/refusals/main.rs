//! Bad input: each kind is refused with what failed on which object, the cause, and what to do; with the
//! exit code that the contract names; with nothing attached and no command started.

mod machine;
mod policy;
mod rules;
mod subjects;

use anyhow::{Context, Result, ensure};
use injector_tests::{
    cgroup::Scratch,
    injector::{Finished, Injector},
    residue::{Census, Exceptions},
    victim,
};

/// What a message has to say.
struct Parts {
    /// What it is about.
    object: &'static str,
    /// The cause.
    cause: &'static str,
    /// What to do.
    remedy: &'static str,
}

fn says(finished: &Finished, parts: &Parts) -> Result<()> {
    let hint = finished.stderr.split("hint: ").nth(1).unwrap_or_default();
    for (part, text, whole) in [
        ("the object", parts.object, finished.stderr.as_str()),
        ("the cause", parts.cause, finished.stderr.as_str()),
        ("what to do", parts.remedy, hint),
    ] {
        ensure!(whole.contains(text), "{part}, `{text}`, is not in the message:\n{}", finished.stderr);
    }
    ensure!(finished.stdout.is_empty(), "a refusal wrote to stdout: {}", finished.stdout);
    Ok(())
}

/// Does `work`, which is all refused, and looks whether anything is left of it.
fn nothing_left(work: impl FnOnce() -> Result<()>) -> Result<()> {
    let census = Census::take()?;
    work()?;
    census.gone(Exceptions::None)?;
    Ok(())
}

/// Gives `words` to `run` and to `attach`: 125 and `code`, the same message, nothing done.
fn refused(words: &[&str], code: i32, parts: &Parts) -> Result<()> {
    let (folder, target) = (victim::folder()?, Scratch::new()?);
    let trace = folder.path().join("ran");
    let run = Injector::new(["run"])?
        .words(words)
        .command(&["touch", &trace.display().to_string()])
        .expect(125)
        .with_context(|| format!("run {words:?}"))?;
    ensure!(!trace.exists(), "run {words:?} started its command");
    says(&run, parts).with_context(|| format!("run {words:?}"))?;
    let attach = Injector::new(["attach", "--cgroup"])?
        .word(target.path())
        .words(words)
        .expect(code)
        .with_context(|| format!("attach {words:?}"))?;
    says(&attach, parts).with_context(|| format!("attach {words:?}"))
}

/// The same for a target of `attach`.
fn refused_target(words: &[&str], code: i32, parts: &Parts) -> Result<()> {
    let finished = Injector::new(["attach", "-e", "inject=read:error=EIO"])?
        .words(words)
        .expect(code)
        .with_context(|| format!("attach {words:?}"))?;
    says(&finished, parts).with_context(|| format!("attach {words:?}"))
}

/// The parts of a message.
const fn parts(object: &'static str, cause: &'static str, remedy: &'static str) -> Parts {
    Parts { object, cause, remedy }
}
