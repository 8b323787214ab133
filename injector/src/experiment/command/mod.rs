//! Commands that are run to their end: operations of a load, looks of a probe, actions.
//!
//! A command is its whole process group. What it leaves running there is killed when it ends, as all of it is when whoever
//! waits for it stops waiting.

#[cfg(test)]
mod tests;

use std::{os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::ChildStderr,
    time::timeout,
};

use crate::experiment::{
    answer::{Answer, Ending, LONGEST},
    failure::Failure,
    model::{CommandLine, Missing},
    namespaces::{Place, Process},
};

/// So much of what it says on its standard error is kept.
const COMPLAINT: usize = 8 << 10;

/// So long the output may go on when the whole group is dead: somebody outside of it has the pipe.
const REST: Duration = Duration::from_secs(1);

/// The words of a command with every name's value in its place.
///
/// # Errors
/// [`Missing`]: one has none.
pub fn words(line: &CommandLine, value: impl Fn(&str) -> Option<String>) -> Result<Vec<String>, Missing> {
    match line {
        CommandLine::Shell(text) => Ok(vec!["/bin/sh".into(), "-c".into(), text.fill(value)?]),
        CommandLine::Words(words) => words.iter().map(|word| word.fill(&value)).collect(),
    }
}

/// Runs a command until it ends. Who drops the future kills it.
///
/// # Errors
/// [`Failure`]: it cannot be started, or its output is too long.
pub async fn run(place: &Place, words: &[String]) -> Result<Answer, Failure> {
    // Dropped in the other order: the group while its number is still its own.
    let Process { mut child, group, ended } = place.start(words).await?;
    let (text, said) = {
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let reading = async { tokio::join!(read(stdout, LONGEST), complaint(stderr)) };
        tokio::pin!(reading);
        let early = tokio::select! {
            texts = &mut reading => Some(texts),
            () = ended.wait() => None,
        };
        if let Some(texts) = early {
            ended.wait().await;
            group.kill();
            texts
        } else {
            group.kill();
            timeout(REST, reading).await.map_err(|_| Failure::TooLong("output"))?
        }
    };
    let ending = ending(child.wait().await?);
    let Read { text, whole: true } = text? else { return Err(Failure::TooLong("output")) };
    Ok(Answer { ending, text, complaint: said, natural: None })
}

/// What became of a command that has ended.
pub fn ending(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exit(code),
        (None, signal) => Ending::Signal(signal.unwrap_or_default()),
    }
}

/// Reads all of the standard error, and keeps the beginning.
pub(in crate::experiment) async fn complaint(pipe: Option<ChildStderr>) -> Vec<u8> {
    read(pipe, COMPLAINT).await.map(|read| read.text).unwrap_or_default()
}

struct Read {
    text: Vec<u8>,
    whole: bool,
}

/// Reads all, and keeps the first `most` bytes of it.
async fn read(pipe: Option<impl AsyncRead + Unpin>, most: usize) -> Result<Read, Failure> {
    let mut text = Vec::new();
    let Some(mut pipe) = pipe else { return Ok(Read { text, whole: true }) };
    (&mut pipe).take(most as u64).read_to_end(&mut text).await?;
    // A command that cannot get rid of its output would never end.
    let rest = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    Ok(Read { text, whole: rest == 0 })
}
