//! `injector experiment run`: an experiment from its file to its report, with the verdict as the exit code.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use injector::experiment::{
    check::kernel,
    model::Experiment,
    report::Report,
    run::{self, Abort, Options},
    warden::{self, Warden},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::{
    exit::{Code, Failure},
    experiment::{
        check,
        input::{Input, Read},
        lead::lead,
        note::folder,
        page,
        progress::Progress,
        replay::Before,
    },
    output,
};

/// Run an experiment: steady state, faults, verdict
///
/// Exit codes: 0 held (or there was no hypothesis), 10 not held, 11 aborted, 1 inconclusive, 2 the file is wrong, 3 this
/// kernel cannot, 4 permission, 6 something is left behind or the rollback broke the system. Of several the weightiest is
/// given, in the order 6, 11, 10, 1; the report has all.
///
/// Everything that happens is written to a folder below injector-runs: journal.jsonl, report.json, the ledgers of the loads,
/// the logs of the services and of the faults. Ctrl-C ends the faults at once and does the rollback; a second one leaves the
/// rollback out.
#[derive(Args, Debug)]
pub(in crate::cli) struct Run {
    #[command(flatten)]
    input: Input,
    /// The seed of everything that is drawn; else that of the file, or a new one
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Take seed, parameters and captured values of another run (its folder or name, or `last`), and tell what came out
    /// differently
    #[arg(long, value_name = "RUN")]
    replay: Option<PathBuf>,
    /// Inject nothing, and count what would have been injected: never `held`
    #[arg(long)]
    monitor: bool,
    /// Where the folder of the run is made
    #[arg(long, value_name = "FOLDER", default_value = warden::RUNS)]
    dir: PathBuf,
    /// Ask before each step: enter begins it; `skip`, `hold`, `abort` and `note TEXT` are the other answers
    #[arg(long)]
    step: bool,
    /// Print the report as JSON on stdout
    #[arg(long)]
    json: bool,
}

impl Run {
    pub(in crate::cli) fn run(mut self) -> Result<Code, Failure> {
        let before = self.replay.as_deref().map(|run| Before::read(&folder(run))).transpose()?;
        if let Some(before) = &before {
            self.input.prefer(before.parameters.clone());
            self.seed = self.seed.or(Some(before.seed));
        }
        let Read { experiment, text, warnings } = self.input.read()?;
        for warning in &warnings {
            output::note(warning);
        }
        if before.as_ref().is_some_and(|before| before.text != text) {
            output::note("warning: the file is another one than that of the run before");
        }
        // A fault that cannot be had is told of before anything is started, with the code of the reason.
        check::possible(kernel::plan(&experiment).refused)?;
        let forgotten = warden::recover(&self.dir);
        for what in &forgotten.undone {
            output::note(format_args!("a run that was killed had left behind: {}", output::shown(what)));
        }
        // Before there is another thread.
        let warden = Warden::start().map_err(|error| Failure::other(error.to_string(), error.hint()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime =
            runtime.map_err(|error| Failure::other(format!("cannot start threads: {error}"), ""))?;
        let paths = experiment.report.clone();
        let ran = runtime.block_on(self.started(experiment, text, warden, before.as_ref()))?;
        let (place, report) = (ran.folder, ran.report);
        write(&place.join("report.json"), &report)?;
        if let Some(path) = paths.json {
            write(&place.join(path), &report)?;
        }
        if self.json {
            output::print_json(&report)?;
        } else {
            output::out(&page::page(&report))?;
            output::out(&format!("{}\n", place.display()))?;
            if let Some(before) = &before {
                output::out(&before.compared(&report, &place))?;
            }
        }
        Ok(Code::of_command(i32::from(report.code)))
    }

    /// The folder of the file, in which its commands begin.
    fn origin(&self) -> Result<PathBuf, Failure> {
        let folder = self.input.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        folder.canonicalize().map_err(|error| {
            Failure::usage(
                format!("cannot find the folder {}: {error}", folder.display()),
                "name a file that is there",
            )
        })
    }

    async fn started(
        &self,
        experiment: Experiment,
        text: String,
        warden: Warden,
        before: Option<&Before>,
    ) -> Result<run::Ran, Failure> {
        let abort = Abort::default();
        let signals = tokio::spawn(listen(abort.clone()));
        let options = Options {
            runs: self.dir.clone(),
            origin: self.origin()?,
            text,
            seed: self.seed,
            monitor: self.monitor,
            step: self.step,
            captured: before.map(|before| before.captured.clone()).unwrap_or_default(),
        };
        let commander = experiment.roles.get("commander").cloned();
        let orders = if self.step {
            lead(commander.unwrap_or_else(|| "the commander".to_owned()))
        } else {
            tokio::sync::mpsc::unbounded_channel().1
        };
        let progress = Progress::new(Arc::new(experiment.clone()));
        let ran = run::run(experiment, options, warden, abort, orders, Box::new(progress)).await;
        signals.abort();
        ran.map_err(|error| Failure::other(error.to_string(), error.hint()))
    }
}

/// Signals that end the run.
async fn listen(abort: Abort) {
    let heard = |kind| signal(kind).ok();
    let mut interrupt = heard(SignalKind::interrupt());
    let mut terminate = heard(SignalKind::terminate());
    let mut hangup = heard(SignalKind::hangup());
    let mut times = 0;
    loop {
        let name = tokio::select! {
            () = next(&mut interrupt) => "SIGINT",
            () = next(&mut terminate) => "SIGTERM",
            () = next(&mut hangup) => "SIGHUP",
        };
        times += 1;
        if times == 1 {
            abort.now(name, true);
        } else {
            abort.hurry();
        }
    }
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => _ = signal.recv().await,
        None => std::future::pending().await,
    }
}

/// Writes the report as JSON.
pub(super) fn write(path: &Path, report: &Report) -> Result<(), Failure> {
    let text = serde_json::to_vec_pretty(report).map_err(std::io::Error::from);
    text.and_then(|text| fs::write(path, text)).map_err(|error| {
        Failure::other(
            format!("cannot write the report {}: {error}", path.display()),
            "the journal has all of it: injector experiment report FOLDER",
        )
    })
}
