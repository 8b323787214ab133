//! From the names of a fault's targets to targets of plans.

use std::{path::PathBuf, time::Duration};

use crate::{
    experiment::{
        action::output,
        model::{CommandLine, Fault, TargetChoice, Template},
        run::context::{Context, Stop},
    },
    target::{Kind, Name, Target, TargetError},
};

/// A command that prints a pid takes no longer.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// The names of a fault's targets.
///
/// # Errors
/// A name has no value yet.
pub(super) fn names(context: &Context, fault: &Fault) -> Result<Vec<String>, Stop> {
    let mut names = Vec::new();
    for template in &fault.targets {
        // One captured name may have several, as `any-of` with a count gives.
        names.extend(context.fill(template)?.split(',').map(|name| name.trim().to_owned()));
    }
    Ok(names)
}

/// All targets of these names.
///
/// # Errors
/// One does not exist.
pub(super) async fn all(context: &Context, names: &[String]) -> Result<Vec<Target>, Stop> {
    let mut found = Vec::new();
    for name in names {
        match context.experiment.targets.get(name) {
            None => found.push(service(context, name)?),
            Some(TargetChoice::Services(services)) => {
                for name in services {
                    found.push(service(context, name)?);
                }
            }
            Some(TargetChoice::Command(template)) => found.push(printed(context, name, template).await?),
            Some(choice) => found.extend(find(choice).map_err(|error| failed(name, &error, &error.hint()))?),
        }
    }
    Ok(found)
}

/// A service of the lab.
fn service(context: &Context, name: &str) -> Result<Target, Stop> {
    let cgroup = context.lab.as_ref().and_then(|lab| lab.cgroup(name).ok());
    let cgroup = cgroup.ok_or_else(|| Stop::Failed(format!("there is no target `{name}`")))?;
    Target::cgroup(&cgroup).map_err(|error| failed(name, &error, &error.hint()))
}

/// The process tree whose pid a command prints.
async fn printed(context: &Context, name: &str, command: &Template) -> Result<Target, Stop> {
    let words = context.words(&CommandLine::Shell(command.clone()))?;
    let text = output(&context.outside, &words, PATIENCE).await.map_err(Stop::Failed)?;
    let pid = text.trim().parse().map_err(|_| {
        Stop::Failed(format!("the command of target `{name}` prints `{}`, which is no pid", text.trim()))
    })?;
    Target::pid(pid).map_err(|error| Stop::Failed(format!("{error}; {}", error.hint())))
}

fn failed(name: &str, error: &dyn std::error::Error, hint: &str) -> Stop {
    Stop::Failed(format!("target `{name}`: {error}; {hint}"))
}
