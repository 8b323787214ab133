//! Loads and probes while they run: their samples become records of the journal, second by second.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
};

use crate::experiment::{
    journal::Phase,
    load,
    model::ProbeKind,
    probe,
    run::{collector::Collector, context::Context},
    sample::Sample,
    source::{Ledger, Outlet, Stop, Watermark},
};

/// How often it is looked what can be told of.
const LOOK: Duration = Duration::from_millis(50);

/// All sources of a run.
#[derive(Debug)]
pub(super) struct Sources {
    context: Arc<Context>,
    state: Arc<Mutex<State>>,
    stop: watch::Sender<bool>,
    stopped: Stop,
    tasks: JoinSet<()>,
    telling: JoinHandle<()>,
    done: watch::Sender<bool>,
    samples: mpsc::UnboundedSender<(Arc<str>, Sample)>,
}

#[derive(Debug, Default)]
struct State {
    collector: Collector,
    watermarks: BTreeMap<Arc<str>, Arc<Watermark>>,
    ledgers: BTreeMap<Arc<str>, Ledger>,
}

impl Sources {
    /// Without any source yet.
    pub(super) fn new(context: Arc<Context>) -> Self {
        let (samples, mut coming) = mpsc::unbounded_channel();
        let (stop, stopped) = Stop::new();
        let (done, mut all) = watch::channel(false);
        let state: Arc<Mutex<State>> = Arc::default();
        let (telling, told) = (state.clone(), context.clone());
        let telling = tokio::spawn(async move {
            let mut last = false;
            while !last {
                last = tokio::select! {
                    () = tokio::time::sleep(LOOK) => false,
                    _ = all.wait_for(|done| *done) => true,
                };
                tell(&told, &telling, &mut coming);
            }
        });
        Self { context, state, stop, stopped, tasks: JoinSet::new(), telling, done, samples }
    }

    /// A phase begins.
    pub(super) fn phase(&self, phase: Phase) -> u64 {
        // Under the lock: no second that reaches into the new phase is told of before the phase is known.
        let mut state = lock(&self.state);
        let at = self.context.recorder.phase(phase);
        state.collector.phase(phase, at);
        at
    }

    /// All loads and probes begin at `start`, nanoseconds of `CLOCK_BOOTTIME`. A phase has begun.
    ///
    /// # Errors
    /// A ledger cannot be written.
    pub(super) fn start(&mut self, start: u64) -> Result<(), String> {
        let context = self.context.clone();
        for (name, load) in &context.experiment.loads {
            let ledger = Ledger::create(&context.folder, name);
            let ledger =
                ledger.map_err(|error| format!("cannot write the ledger of load `{name}`: {error}"))?;
            let outlet = self.outlet(name, Some(ledger));
            let (context, name, load) = (context.clone(), name.clone(), load.clone());
            let namespaces = context.namespaces(load.inside.as_deref());
            let stop = self.stopped.clone();
            self.tasks.spawn(async move {
                match load::run(&load, &namespaces, &context.variables, start, stop, outlet).await {
                    Ok(ended) => {
                        if let Some(how) = ended.died {
                            context.abort.now(format!("the load `{name}` died: {how}"), false);
                        }
                        if ended.late_lines > 0 {
                            context
                                .recorder
                                .warn(format!("{} lines of load `{name}` came too late", ended.late_lines));
                        }
                    }
                    Err(error) => {
                        context
                            .abort
                            .now(format!("the load `{name}` cannot begin: {error}; {}", error.hint()), false);
                    }
                }
            });
        }
        for (name, probe) in &context.experiment.probes {
            if matches!(probe.kind, ProbeKind::Lost { .. }) {
                continue;
            }
            let outlet = self.outlet(name, None);
            let (context, name, probe) = (context.clone(), name.clone(), probe.clone());
            let stop = self.stopped.clone();
            self.tasks.spawn(async move {
                let namespaces = context.namespaces(probe.inside.as_deref());
                let around = context.clone();
                let ran =
                    probe::run(&probe, &namespaces, &context.variables, around, start, stop, outlet).await;
                if let Err(error) = ran {
                    context
                        .abort
                        .now(format!("the probe `{name}` cannot begin: {error}; {}", error.hint()), false);
                }
            });
        }
        Ok(())
    }

    /// Probes of what was lost are made, each once.
    pub(super) async fn look_for_losses(&mut self) {
        let context = self.context.clone();
        for (name, probe) in &context.experiment.probes {
            let ProbeKind::Lost { load, .. } = &probe.kind else { continue };
            let acknowledged =
                lock(&self.state).ledgers.get(load.value.as_str()).map(Ledger::acknowledged).cloned();
            let outlet = self.outlet(name, None);
            let namespaces = context.namespaces(probe.inside.as_deref());
            let made = probe::lost(
                probe,
                &namespaces,
                &context.variables,
                Arc::new(acknowledged.unwrap_or_default()),
            );
            match made.await {
                Ok(sample) => outlet.deliver(sample),
                Err(error) => {
                    context
                        .recorder
                        .warn(format!("the probe `{name}` cannot be made: {error}; {}", error.hint()));
                }
            }
        }
    }

    /// Until everything that was due by now is told of, or a while is over.
    pub(super) async fn settle(&self) {
        tokio::time::sleep(2 * LOOK).await;
    }

    fn outlet(&self, name: &str, ledger: Option<Ledger>) -> Outlet {
        let outlet = Outlet::new(name, self.samples.clone());
        let source: Arc<str> = name.into();
        let mut state = lock(&self.state);
        state.collector.source(source.clone());
        state.watermarks.insert(source.clone(), outlet.watermark());
        state.ledgers.extend(ledger.map(|ledger| (source, ledger)));
        outlet
    }

    /// Nothing more begins; what is under way is waited for, and told of.
    pub(super) async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        drop(self.samples);
        self.done.send_replace(true);
        let _ = self.telling.await;
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells of all seconds that are complete.
fn tell(context: &Context, state: &Mutex<State>, coming: &mut mpsc::UnboundedReceiver<(Arc<str>, Sample)>) {
    let state = &mut *lock(state);
    // First the watermarks: what was due before them is in the channel by then.
    let passed: Vec<_> = state.watermarks.iter().map(|(name, mark)| (name.clone(), mark.passed())).collect();
    while let Ok((source, sample)) = coming.try_recv() {
        if let Some(ledger) = state.ledgers.get_mut(&source)
            && let Err(error) = ledger.write(&sample)
        {
            context.recorder.warn(format!("cannot write the ledger of load `{source}`: {error}"));
            state.ledgers.remove(&source);
        }
        state.collector.sample(&source, sample);
    }
    for (source, until) in passed {
        for record in state.collector.complete(&source, until) {
            context.recorder.record(record);
        }
    }
}
