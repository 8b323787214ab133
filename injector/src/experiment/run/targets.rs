//! From the names of a fault's targets to targets of plans.

use std::path::PathBuf;

use crate::{
    experiment::model::TargetChoice,
    target::{Kind, Name, Target, TargetError},
};

/// A target that cannot be found.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChoiceError {
    /// There is no such cgroup, process, container or unit.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A file that should have a pid.
    #[error("cannot read a pid from {}: {why}", file.display())]
    PidFile {
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
}

impl ChoiceError {
    /// What to do about it.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::Target(error) => error.hint(),
            Self::PidFile { .. } => "name a file that has the number of a process that runs".to_owned(),
        }
    }
}

/// The target that a choice means now. Services of the lab and commands are the caller's.
///
/// # Errors
/// [`ChoiceError`]: it does not exist.
pub(super) fn find(choice: &TargetChoice) -> Result<Vec<Target>, ChoiceError> {
    Ok(vec![match choice {
        TargetChoice::Cgroup(path) if path.starts_with('/') => Target::cgroup(path)?,
        TargetChoice::Cgroup(name) => Target::named(&Name::new(Kind::Cgroup, name.clone()))?,
        TargetChoice::Process(pid) => Target::pid(*pid)?,
        TargetChoice::PidFile(file) => Target::pid(pid(file)?)?,
        TargetChoice::Unit(name) => Target::unit(name.clone())?,
        TargetChoice::Container(name) => Target::container(name.clone())?,
        TargetChoice::Command(_) | TargetChoice::Services(_) => return Ok(Vec::new()),
    }])
}

fn pid(file: &std::path::Path) -> Result<u32, ChoiceError> {
    let failed = |why: String| ChoiceError::PidFile { file: file.to_owned(), why };
    let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    text.trim().parse().map_err(|_| failed(format!("`{}` is no pid", text.trim())))
}
