//! The runner: it does what the experiment says, phase by phase, and writes down what happens.

mod abort;
mod capture;
mod collector;
mod commander;
mod context;
mod fault;
mod folder;
mod method;
mod phases;
mod plans;
mod recorder;
mod rules;
mod sources;
mod surroundings;
mod targets;
mod watch;

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::mpsc;

pub use self::{
    abort::{Abort, Reason},
    commander::{Order, order},
    recorder::{Observer, Recorder},
};
use self::{commander::Commander, context::Context, folder::Folder};
use crate::{
    clock,
    experiment::{
        journal::{Record, Writer},
        lab::{Lab, RunPlace},
        model::{Experiment, Network, Parameter},
        namespaces::Namespaces,
        report::{Account, Report},
        variables::Variables,
        warden::Warden,
    },
};

/// What whoever runs an experiment decides.
#[derive(Clone, Debug)]
pub struct Options {
    /// Runs have their folders here.
    pub runs: PathBuf,
    /// The folder of the experiment's file, in which its commands begin.
    pub origin: PathBuf,
    /// The experiment's text, for the journal.
    pub text: String,
    /// The seed; that of the file, or a drawn one, if there is none.
    pub seed: Option<u64>,
    /// Inject nothing, and count what would have been injected.
    pub monitor: bool,
    /// Values that names had in another run: those are taken rather than captured anew.
    pub captured: BTreeMap<String, String>,
    /// Each step waits for [`Order::Go`].
    pub step: bool,
}

/// A run that came to an end, whatever its verdict.
#[derive(Debug)]
pub struct Ran {
    /// Its folder.
    pub folder: PathBuf,
    /// What is said of it.
    pub report: Report,
}

/// A run that did not even begin: there is no journal.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its folder or journal cannot be made.
    #[error("cannot make the folder of the run in {}: {source}", runs.display())]
    Folder {
        /// Where.
        runs: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl RunError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "name another folder: --dir FOLDER",
        }
    }
}

/// Runs an experiment to its end. Whatever happens in it is in its report; the faults are off and the lab is gone when this
/// returns. The warden was started before there was another thread. To be called in a runtime of several threads.
///
/// # Errors
/// [`RunError`]: the run cannot even begin.
pub async fn run(
    experiment: Experiment,
    options: Options,
    warden: Warden,
    abort: Abort,
    orders: mpsc::UnboundedReceiver<Order>,
    observer: Box<dyn Observer>,
) -> Result<Ran, RunError> {
    let failed = |source| RunError::Folder { runs: options.runs.clone(), source };
    let folder = Folder::create(&options.runs).map_err(failed)?;
    let journal = Writer::create(&folder.path).map_err(failed)?;
    let seed = options.seed.or(experiment.seed).unwrap_or_else(drawn_seed);
    let experiment = Arc::new(experiment);
    let recorder = Recorder::new(journal, Account::new(&experiment), observer);
    let shown = |value: &Parameter| if value.secret { "***".to_owned() } else { value.value.clone() };
    let begun = recorder.record(Record::Begun {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        run: folder.name.clone(),
        wall: folder::wall(),
        seed,
        parameters: experiment.parameters.iter().map(|(name, value)| (name.clone(), shown(value))).collect(),
        text: options.text.clone(),
        monitor: options.monitor,
    });
    let deadline = begun + clock::nanoseconds(experiment.deadline);
    if let Err(error) = warden.journal(&folder.path).and_then(|()| warden.deadline(deadline)) {
        recorder.record(Record::Failed { why: format!("{error}; {}", error.hint()) });
    }
    let commander = Commander::new(options.step);
    let listening = commander.clone().listen(folder.path.clone(), orders, recorder.clone(), abort.clone());
    let listening = tokio::spawn(listening);
    let context = Context {
        commander,
        captured: options.captured.clone(),
        variables: Variables::new(&folder.name, seed),
        outside: Namespaces { folder: options.origin.clone(), ..Namespaces::default() },
        folder: folder.path.clone(),
        plans: Mutex::default(),
        over: tokio::sync::watch::Sender::new(false),
        lab: None,
        monitor: options.monitor,
        experiment: experiment.clone(),
        recorder: recorder.clone(),
        abort,
        seed,
        deadline,
    };
    let name = RunPlace { folder: folder.path.clone(), name: folder.name.clone(), origin: options.origin };
    phases::run(context, &name, &warden).await;
    listening.abort();
    commander::forget(&folder.path);
    for left in warden.finish() {
        recorder.record(Record::Unclean { what: left });
    }
    if let Some(lost) = recorder.lost() {
        recorder.record(Record::Unclean { what: format!("a record of the journal: {lost}") });
    }
    recorder.record(Record::Finished);
    let report = recorder.ask(|account| account.report(&experiment));
    Ok(Ran { folder: folder.path.clone(), report })
}

/// A seed for a run that has none; people can type it.
fn drawn_seed() -> u64 {
    injector_common::random::mix(clock::now() ^ u64::from(std::process::id())) >> 32
}

/// Starts the lab of an experiment, and has its events told.
async fn start_lab(
    context: &Context,
    name: &RunPlace,
    warden: &Warden,
) -> Result<Option<Lab>, crate::experiment::lab::LabError> {
    let Some(lab) = &context.experiment.lab else { return Ok(None) };
    let (events, mut coming) = mpsc::unbounded_channel();
    let recorder = context.recorder.clone();
    tokio::spawn(async move {
        while let Some(event) = coming.recv().await {
            recorder.record(event);
        }
    });
    Lab::start(lab, name, &context.variables, warden, events).await.map(Some)
}

/// Where things are made that are in no service.
fn outside(lab: &Lab, experiment: &Experiment, origin: PathBuf) -> Namespaces {
    match (&experiment.lab, lab.namespaces(None)) {
        (Some(model), Ok(namespaces)) if model.network != Network::Host => {
            Namespaces { folder: origin, ..namespaces }
        }
        _ => Namespaces { folder: origin, ..Namespaces::default() },
    }
}

/// How long a probe of a file's phase may need to settle.
const SETTLE: Duration = Duration::from_secs(10);
