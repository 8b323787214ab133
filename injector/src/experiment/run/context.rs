//! What all parts of a run share.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

use crate::experiment::{
    action::act,
    command,
    lab::Lab,
    model::{Action, CommandLine, Experiment, Template},
    namespaces::Namespaces,
    run::{abort::Abort, commander::Commander, plans::FaultPlan, recorder::Recorder},
    variables::Variables,
};

/// What all parts of a run share.
#[derive(Debug)]
pub(super) struct Context {
    /// What is to be done.
    pub experiment: Arc<Experiment>,
    /// Where all that happens is told.
    pub recorder: Recorder,
    /// Whether it is to end.
    pub abort: Abort,
    /// Whether steps may begin.
    pub commander: Commander,
    /// Values that names had in the run that is repeated.
    pub captured: BTreeMap<String, String>,
    /// Names with their values.
    pub variables: Variables,
    /// Services that the run started.
    pub lab: Option<Arc<Lab>>,
    /// Where things are made that are in no service: with a lab its own namespaces.
    pub outside: Namespaces,
    /// The run's folder.
    pub folder: PathBuf,
    /// The seed of all.
    pub seed: u64,
    /// Nothing is injected.
    pub monitor: bool,
    /// When the run is over at the latest, nanoseconds of `CLOCK_BOOTTIME`.
    pub deadline: u64,
    /// The plans that are ready, by the path of the step in the file.
    pub plans: Mutex<BTreeMap<String, FaultPlan>>,
    /// The method has come to its end: what acts until then stops.
    pub over: watch::Sender<bool>,
}

/// Why a step does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The run is to end.
    Aborted,
    /// It failed, and the method ends.
    Failed(String),
}

impl From<super::abort::Aborted> for Stop {
    fn from(_: super::abort::Aborted) -> Self {
        Self::Aborted
    }
}

impl Context {
    /// Where something is made: in a service's namespaces, or outside of all.
    pub(super) fn namespaces(&self, service: Option<&str>) -> Namespaces {
        let of_service = service.and_then(|_| self.lab.as_ref()?.namespaces(service).ok());
        match of_service {
            Some(namespaces) => Namespaces { folder: self.outside.folder.clone(), ..namespaces },
            None => self.outside.clone(),
        }
    }

    /// A text with its names filled in.
    ///
    /// # Errors
    /// [`Stop::Failed`]: a name has no value yet.
    pub(super) fn fill(&self, template: &Template) -> Result<String, Stop> {
        template.fill(|name| self.variables.value(name)).map_err(|missing| Stop::Failed(missing.to_string()))
    }

    /// The words of a command, with their names filled in.
    ///
    /// # Errors
    /// As [`Context::fill`].
    pub(super) fn words(&self, command: &CommandLine) -> Result<Vec<String>, Stop> {
        let words = command::words(command, |name| self.variables.value(name));
        words.map_err(|missing| Stop::Failed(missing.to_string()))
    }

    /// Does an action.
    ///
    /// # Errors
    /// What failed and why, as a sentence.
    pub(super) async fn act(&self, action: &Action) -> Result<(), String> {
        let namespaces = self.namespaces(action.inside.as_deref());
        act(action, &namespaces, |name| self.variables.value(name)).await
    }

    /// The plan of a step, if it is ready.
    pub(super) fn plan(&self, path: &str) -> Option<FaultPlan> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    /// A plan is ready.
    pub(super) fn keep_plan(&self, path: &str, plan: FaultPlan) {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), plan);
    }

    /// All plans, which are then nobody's.
    pub(super) fn take_plans(&self) -> Vec<(String, FaultPlan)> {
        std::mem::take(&mut *self.plans.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }
}
