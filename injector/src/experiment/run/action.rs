//! What is done once: commands and requests of the method, of the rollback and of the preparation.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use tokio::time::timeout;

use crate::experiment::{
    answer::{Answer, Ending},
    command,
    http::{Client, Request},
    model::{Action, CommandLine, Deed},
    namespaces::Namespaces,
    run::context::{Context, Stop},
};

/// Does it.
///
/// # Errors
/// What failed and why, as a sentence.
pub(super) async fn run(context: &Arc<Context>, action: &Action) -> Result<(), String> {
    let failed = |stop| match stop {
        Stop::Failed(why) => why,
        Stop::Aborted => "the run was aborted".to_owned(),
    };
    let namespaces = context.namespaces(action.inside.as_deref());
    match &action.deed.value {
        Deed::Run(line) => {
            let words = context.words(line).map_err(failed)?;
            output(&namespaces, &words, action.timeout).await.map(drop)
        }
        Deed::Http(request) => {
            let request = Request::fill(request, |name| context.variables.value(name));
            let request = request.map_err(|failure| failure.to_string())?;
            let place = namespaces.enter().map_err(|error| format!("{error}; {}", error.hint()))?;
            let asked = timeout(action.timeout, Client::new(place, 0).ask(request)).await;
            let answer =
                asked.map_err(|_| took_too_long(action.timeout))?.map_err(|failure| failure.to_string())?;
            match answer.ending {
                Ending::Http(status) if status >= 400 => Err(format!("status {status}")),
                _ => Ok(()),
            }
        }
    }
}

/// What a command prints; it has to exit with 0.
///
/// # Errors
/// It does not, with the last line of its standard error, or takes too long.
pub(super) async fn output(
    namespaces: &Namespaces,
    words: &[String],
    limit: Duration,
) -> Result<String, String> {
    let place = namespaces.enter().map_err(|error| format!("{error}; {}", error.hint()))?;
    let answer = timeout(limit, command::run(&place, words)).await;
    let answer: Answer = answer.map_err(|_| took_too_long(limit))?.map_err(|failure| failure.to_string())?;
    if answer.ending == Ending::Exit(0) {
        return Ok(String::from_utf8_lossy(&answer.text).into_owned());
    }
    let complaint = String::from_utf8_lossy(&answer.complaint);
    let last = complaint.lines().rev().find(|line| !line.trim().is_empty());
    Err(match last {
        Some(line) => format!("{}: {}", answer.ending, line.trim()),
        None => answer.ending.to_string(),
    })
}

fn took_too_long(limit: Duration) -> String {
    format!("it took longer than {}", humantime::format_duration(limit))
}

/// How long it is to the next moment of a cron expression, in UTC.
///
/// # Errors
/// It has none.
pub(super) fn until_next(cron: &croner::Cron) -> Result<Duration, String> {
    let now = Utc::now();
    let next = cron.find_next_occurrence(&now, false).map_err(|error| error.to_string())?;
    Ok((next - now).to_std().unwrap_or_default())
}

/// An action in a few words.
pub(super) fn describe(action: &Action) -> String {
    match &action.deed.value {
        Deed::Run(CommandLine::Shell(text)) => text.to_string(),
        Deed::Run(CommandLine::Words(words)) => {
            words.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        }
        Deed::Http(request) => format!("{} {}", request.method, request.url),
    }
}
