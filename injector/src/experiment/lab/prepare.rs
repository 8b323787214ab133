//! What is done before the first service starts.

use tokio::time::timeout;

use crate::experiment::{
    answer::{Answer, Ending},
    command,
    failure::Failure,
    http::Client,
    lab::{Lab, LabError, words::Words},
    model::{Action, CommandLine, Deed},
    variables::Variables,
};

impl Lab {
    /// Does these one after the other, to the first that fails.
    pub(super) async fn prepare(&self, actions: &[Action], variables: &Variables) -> Result<(), LabError> {
        for action in actions {
            let failed = |why: String| LabError::Prepare { action: shown(&action.deed), why };
            let done = timeout(action.timeout, self.act(action, variables)).await;
            let late = || format!("took longer than {}", humantime::format_duration(action.timeout));
            let answer = done.map_err(|_| failed(late()))??.map_err(|failure| failed(failure.to_string()))?;
            match answer.ending {
                Ending::Http(status) if status < 400 => {}
                Ending::Exit(0) => {}
                _ => return Err(failed(complaint(&answer))),
            }
        }
        Ok(())
    }

    /// Does one; the inner error says what came of it.
    async fn act(&self, action: &Action, variables: &Variables) -> Result<Result<Answer, Failure>, LabError> {
        let words = Words { service: None, variables };
        let place = self.namespaces(action.inside.as_deref())?.enter()?;
        Ok(match &action.deed.value {
            Deed::Run(line) => command::run(&place, &words.command(line)?).await,
            Deed::Http(request) => Client::new(place, 0).ask(words.request(request)?).await,
        })
    }
}

/// How it ended, and what it said of that last.
fn complaint(answer: &Answer) -> String {
    let said = String::from_utf8_lossy(&answer.complaint);
    match said.lines().rfind(|line| !line.trim().is_empty()) {
        Some(line) => format!("{}: {}", answer.ending, line.trim()),
        None => answer.ending.to_string(),
    }
}

/// As the file has it.
fn shown(deed: &Deed) -> String {
    match deed {
        Deed::Run(CommandLine::Shell(text)) => text.to_string(),
        Deed::Run(CommandLine::Words(words)) => {
            words.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        }
        Deed::Http(request) => format!("{} {}", request.method, request.url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::model::Template;

    #[test]
    fn an_action_is_shown_as_the_file_has_it() {
        let words = ["mkdir", "${dir.db}/wal"].map(Template::new).to_vec();
        assert_eq!(shown(&Deed::Run(CommandLine::Words(words))), "mkdir ${dir.db}/wal");
    }

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
