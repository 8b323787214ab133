//! What is done before the first service starts.

use std::{path::Path, process::Stdio};

use tokio::time::timeout;

use crate::experiment::{
    lab::{Lab, LabError, RunPlace, connection, entry, logs, place::Place, words::Words},
    model::{Action, CommandLine, Deed},
    variables::Variables,
};

/// What these commands say goes here, which is no service's name.
const LOG: &str = "prepare.log";

/// How many of its last lines a command that failed is cited with.
const LAST_LINES: usize = 5;

impl Lab {
    /// Does these one after the other, to the first that fails.
    pub(super) async fn prepare(
        &self,
        actions: &[Action],
        run: &RunPlace,
        variables: &Variables,
    ) -> Result<(), LabError> {
        let log = run.folder.join("logs").join(LOG);
        for action in actions {
            let failed = |why| LabError::Prepare { action: shown(&action.deed), why };
            let act = self.act(action, variables, &log);
            let acted = match timeout(action.timeout, act).await {
                Ok(acted) => acted?,
                Err(_) => Err(format!("took longer than {}", humantime::format_duration(action.timeout))),
            };
            acted.map_err(failed)?;
        }
        Ok(())
    }

    /// Does one; the inner error says what came of it.
    async fn act(
        &self,
        action: &Action,
        variables: &Variables,
        log: &Path,
    ) -> Result<Result<(), String>, LabError> {
        let namespaces = self.namespaces(action.inside.as_deref())?;
        let words = Words { service: None, variables };
        match &action.deed.value {
            Deed::Run(line) => {
                let file = logs::open(log);
                let file =
                    file.map_err(|source| LabError::File { what: "write", path: log.into(), source })?;
                // The log has all of it if the descriptor cannot be copied.
                let output = || file.try_clone().map_or_else(|_| Stdio::null(), Stdio::from);
                let cgroup = self.commands_cgroup();
                let place = Place { cgroup: &cgroup, namespaces: &namespaces, folder: &namespaces.folder };
                let ran = entry::run(&words.command(line)?, place, output).await;
                Ok(ran.map_err(|why| {
                    logs::last_lines(log, LAST_LINES)
                        .iter()
                        .fold(why, |text, line| format!("{text}\n  {line}"))
                }))
            }
            Deed::Http(request) => {
                let answered = connection::status(&namespaces, &words.request(request)?).await;
                Ok(match answered {
                    Ok(status) if status < 400 => Ok(()),
                    Ok(status) => Err(format!("was answered with {status}")),
                    Err(error) => Err(format!("was not answered: {error}")),
                })
            }
        }
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
}
