//! What is done once: commands and requests of the lab's preparation, of the method and of the rollback.

use std::time::Duration;

use tokio::time::timeout;

use crate::experiment::{
    answer::{Answer, Ending},
    command,
    failure::Failure,
    http::{Client, Request},
    model::{Action, Deed},
    namespaces::Namespaces,
};

/// Does it, in these namespaces; `value` is what names in its words mean.
///
/// # Errors
/// What failed and why, as a sentence: it cannot be begun, takes too long, or does not end well.
pub async fn act(
    action: &Action,
    namespaces: &Namespaces,
    value: impl Fn(&str) -> Option<String>,
) -> Result<(), String> {
    match &action.deed.value {
        Deed::Run(line) => {
            let words = command::words(line, value).map_err(|missing| missing.to_string())?;
            output(namespaces, &words, action.timeout).await.map(drop)
        }
        Deed::Http(request) => {
            let request = Request::fill(request, value).map_err(|failure| failure.to_string())?;
            let place = namespaces.enter().map_err(|error| format!("{error}; {}", error.hint()))?;
            let answer = within(action.timeout, Client::new(place, 0).ask(request)).await?;
            match answer.ending {
                Ending::Http(status) if status >= 400 => Err(answer.ending.to_string()),
                _ => Ok(()),
            }
        }
    }
}

/// What a command prints; it has to exit with 0.
///
/// # Errors
/// It does not, with the last line of its standard error, or takes too long.
pub async fn output(namespaces: &Namespaces, words: &[String], limit: Duration) -> Result<String, String> {
    let place = namespaces.enter().map_err(|error| format!("{error}; {}", error.hint()))?;
    let answer = within(limit, command::run(&place, words)).await?;
    if answer.ending == Ending::Exit(0) {
        return Ok(String::from_utf8_lossy(&answer.text).into_owned());
    }
    Err(complaint(&answer))
}

async fn within(
    limit: Duration,
    work: impl Future<Output = Result<Answer, Failure>>,
) -> Result<Answer, String> {
    let late = |_| format!("it took longer than {}", humantime::format_duration(limit));
    timeout(limit, work).await.map_err(late)?.map_err(|failure| failure.to_string())
}

/// How a command ended, and what it said of that last.
fn complaint(answer: &Answer) -> String {
    let said = String::from_utf8_lossy(&answer.complaint);
    match said.lines().rfind(|line| !line.trim().is_empty()) {
        Some(line) => format!("{}: {}", answer.ending, line.trim()),
        None => answer.ending.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Ending, complaint};

    #[test]
    fn a_failed_command_is_cited() {
        let answer = Answer {
            ending: Ending::Exit(4),
            complaint: b"trying\nit is full\n\n".to_vec(),
            ..Answer::plain("")
        };
        assert_eq!(complaint(&answer), "exit 4: it is full");
    }
}
