//! A service's program, with all that it needs to be started again and again.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::{fs::chown, process::ExitStatusExt as _},
    path::{Component, Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::process::Child;

use crate::{
    experiment::{
        lab::{
            entry::{Entry, meaning},
            error::LabError,
            home::Home,
            logs,
            ready::Readiness,
            words::Words,
        },
        model::{Restart, Service},
        variables::Variables,
    },
    target::Identity,
};

/// A program that is ready to be started.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) home: Home,
    pub(super) readiness: Option<Readiness>,
    pub(super) restart: Restart,
    pub(super) restart_after: Duration,
    pub(super) stop_within: Duration,
    words: Vec<String>,
    environment: BTreeMap<String, String>,
    identity: Option<Identity>,
}

impl Program {
    /// Fills in the service's words, and writes its files into its folder, which is there.
    pub(super) fn new(
        name: &str,
        service: &Service,
        home: Home,
        variables: &Variables,
    ) -> Result<Self, LabError> {
        let words = Words { service: name, variables };
        let identity = service.user.as_deref().map(Identity::of).transpose();
        let identity = identity.map_err(|source| LabError::User { service: name.into(), source })?;
        write_files(&home.folder, &words.files(&service.files)?, identity.as_ref())?;
        Ok(Self {
            name: name.into(),
            words: words.command(&service.command)?,
            environment: words.texts(&service.environment)?,
            identity,
            readiness: service.ready.as_ref().map(|ready| Readiness::new(ready, words)).transpose()?,
            restart: service.restart,
            restart_after: service.restart_after,
            stop_within: service.stop_within,
            home,
        })
    }

    /// Starts it. What it writes goes to its log by its own descriptors.
    pub(super) fn spawn(&self) -> Result<Child, String> {
        let Some((program, arguments)) = self.words.split_first() else {
            return Err("has no command".into());
        };
        let start = || -> io::Result<Child> {
            let log = logs::open(&self.home.log)?;
            let mut command = tokio::process::Command::new(program);
            command.args(arguments).envs(&self.environment);
            command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
            Entry::new(&self.home, self.identity.clone())?.lead(&mut command);
            command.spawn()
        };
        start().map_err(|error| meaning(&error, program))
    }

    /// Whether it is to be started again after such an end.
    pub(super) fn comes_back(&self, status: ExitStatus) -> bool {
        match self.restart {
            Restart::Never => false,
            Restart::OnFailure => !status.success(),
            Restart::Always => true,
        }
    }
}

/// `exited 1`, `killed SIGKILL`.
pub(super) fn end(status: ExitStatus) -> String {
    let signal = status.signal().and_then(|number| nix::sys::signal::Signal::try_from(number).ok());
    match (status.code(), signal) {
        (Some(code), _) => format!("exited {code}"),
        (None, Some(signal)) => format!("killed {signal}"),
        (None, None) => format!("killed by {status}"),
    }
}

fn write_files(
    folder: &Path,
    files: &[(PathBuf, String)],
    identity: Option<&Identity>,
) -> Result<(), LabError> {
    let own = |path: &Path| match identity {
        Some(identity) => {
            let (user, group) = identity.numbers();
            chown(path, Some(user), Some(group))
        }
        None => Ok(()),
    };
    let failed = |path: &Path, source| LabError::File { what: "write", path: path.into(), source };
    own(folder).map_err(|source| failed(folder, source))?;
    for (path, content) in files {
        let whole = folder.join(path);
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            let why = io::Error::new(io::ErrorKind::InvalidInput, "it is not below the service's folder");
            return Err(failed(path, why));
        }
        let write = || {
            let mut above = folder.to_path_buf();
            for part in path.parent().into_iter().flat_map(Path::components) {
                above.push(part);
                if !above.exists() {
                    fs::create_dir(&above)?;
                    own(&above)?;
                }
            }
            fs::write(&whole, content)?;
            own(&whole)
        };
        write().map_err(|source| failed(&whole, source))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_in_words() {
        assert_eq!(end(ExitStatus::from_raw(3 << 8)), "exited 3");
        assert_eq!(end(ExitStatus::from_raw(libc::SIGKILL)), "killed SIGKILL");
    }

    #[test]
    fn files_stay_in_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str| write_files(folder.path(), &[(path.into(), "x".into())], None);
        write("etc/a/conf").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("etc/a/conf")).unwrap(), "x");
        for wrong in ["../out", "/etc/passwd", "a/../../b"] {
            let refused = write(wrong).unwrap_err().to_string();
            assert_eq!(refused, format!("cannot write {wrong}: it is not below the service's folder"));
        }
    }
}
