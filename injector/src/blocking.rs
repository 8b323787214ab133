//! The engine for programs without an async runtime. A plan lives on a thread of its own, with a runtime of its own, which
//! reads its events and keeps its lease whatever the caller is about; the caller asks that thread.
//!
//! Rules, targets and plans need no runtime, so they are those of [`engine`] and [`target`](crate::target); only
//! a live plan is another one here.
//!
//! ```no_run
//! use std::{error::Error, thread, time::Duration};
//!
//! use injector::{
//!     blocking::Guard,
//!     engine::{Injector, Start},
//!     plan::Options,
//!     target::Target,
//! };
//!
//! fn a_bad_disk_for_redis() -> Result<(), Box<dyn Error>> {
//!     let injector = Injector::new()?
//!         .rule("io=write:error=ENOSPC:path=/var/lib/redis/**".parse()?)
//!         .target(Target::cgroup("/system.slice/redis.service")?);
//!     let plan = injector.plan(Options::default().records())?;
//!     let guard = Guard::apply(injector, plan, Start::Now, |record| println!("{record:?}"))?;
//!     thread::sleep(Duration::from_secs(60));
//!     let report = guard.finish()?;
//!     println!("{} faults", report.rules.iter().map(|rule| rule.fired).sum::<u64>());
//!     Ok(())
//! }
//! ```

use std::{
    io,
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    runtime,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use crate::{
    engine::{self, End, EngineError, Injector, Record, Report, RuleReport, Start},
    plan::{Change, Plan},
    spec::model::Rule,
};

/// A live plan: it acts as long as this value lives, and dropping it takes everything back before it returns.
///
/// Unlike [`engine::Guard`] it needs nobody to wait for it: the faults go on for more than ten seconds whatever the
/// caller does.
#[derive(Debug)]
pub struct Guard {
    /// `None` once the thread is told to end.
    jobs: Option<UnboundedSender<Job>>,
    ends: mpsc::Receiver<Result<End, EngineError>>,
    end: Option<End>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread is to do with the plan.
enum Job {
    Ask(Box<dyn FnOnce(&mut engine::Guard) + Send>),
    Finish(mpsc::Sender<Result<Report, EngineError>>),
}

impl Guard {
    /// Applies a plan that `injector` has made, whole or not at all. `record` is given every fault if the plan's
    /// [`records`](crate::plan::Options::records) are on. It runs on the plan's thread and must not wait for long:
    /// meanwhile nobody renews the lease, and after ten seconds the kernel lets everything pass.
    ///
    /// # Errors
    /// Whatever failed; nothing is left attached then. [`EngineError::Worker`] if there can be no thread,
    /// [`EngineError::Threads`] for a plan that delays calls: [`child`](crate::child) has those.
    pub fn apply(
        injector: Injector,
        plan: Plan,
        start: Start,
        record: impl FnMut(Record) + Send + 'static,
    ) -> Result<Self, EngineError> {
        if plan.delays_calls() {
            return Err(EngineError::Threads);
        }
        let (jobs, todo) = unbounded_channel();
        let (end, ends) = mpsc::channel();
        let (begun, begins) = mpsc::channel();
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(EngineError::Worker)?;
        let live = move || {
            // In the runtime, and here: the plan's helpers end with the thread that applied it.
            runtime.block_on(async move {
                match injector.apply(plan, start) {
                    Ok(guard) => {
                        // Whoever waits for it cannot have gone.
                        let _ = begun.send(Ok(()));
                        keep(guard, todo, end, record).await;
                    }
                    Err(error) => drop(begun.send(Err(error))),
                }
            });
        };
        let thread = thread::Builder::new().name("injector-guard".into());
        let thread = thread.spawn(live).map_err(EngineError::Worker)?;
        let guard = Self { jobs: Some(jobs), ends, end: None, thread: Some(thread) };
        begins.recv().map_err(|_| gone())??;
        Ok(guard)
    }

    /// Waits until the plan ends by itself: its time is up, its targets are gone, somebody stopped it. Its counters
    /// stay until [`Self::finish`].
    ///
    /// # Errors
    /// The events or the devices can no longer be watched.
    pub fn wait(&mut self) -> Result<End, EngineError> {
        if self.end.is_none() {
            self.end = Some(self.ends.recv().map_err(|_| gone())??);
        }
        self.end.ok_or_else(gone)
    }

    /// The same for `time` at the longest; `None` if the plan has not ended by then.
    ///
    /// # Errors
    /// As of [`Self::wait`].
    pub fn wait_for(&mut self, time: Duration) -> Result<Option<End>, EngineError> {
        if self.end.is_none() {
            match self.ends.recv_timeout(time) {
                Ok(end) => self.end = Some(end?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            }
        }
        Ok(self.end)
    }

    /// The plan as it is now.
    ///
    /// # Errors
    /// The plan's thread has ended, after a panic in `record`.
    pub fn plan(&self) -> Result<Plan, EngineError> {
        self.ask(|guard| guard.plan().clone())
    }

    /// All rules with their counters, as [`engine::Guard::rules`] has them.
    ///
    /// # Errors
    /// The counters cannot be read.
    pub fn rules(&self) -> Result<Vec<RuleReport>, EngineError> {
        self.ask(|guard| guard.rules())?
    }

    /// What the user ought to know, as [`engine::Guard::notes`] has it.
    ///
    /// # Errors
    /// The plan's thread has ended, after a panic in `record`.
    pub fn notes(&self) -> Result<Vec<String>, EngineError> {
        self.ask(|guard| guard.notes().to_vec())
    }

    /// Switches a rule off (`paused`) or on again; the moment from which on that holds comes back, in nanoseconds of
    /// `CLOCK_BOOTTIME`, as [`engine::Guard::pause`] has it. `None` if the plan has no rule of that number.
    ///
    /// # Errors
    /// The plan's thread has ended, after a panic in `record`.
    pub fn pause(&self, rule: u32, paused: bool) -> Result<Option<u64>, EngineError> {
        self.ask(move |guard| guard.pause(rule, paused))
    }

    /// Replaces the rules, as [`engine::Guard::update`] does.
    ///
    /// # Errors
    /// As for a new plan, and what cannot be done without a pause; the old rules go on untouched then.
    /// [`EngineError::Threads`] for rules that delay calls.
    pub fn update(&mut self, rules: Vec<Rule>) -> Result<Change, EngineError> {
        if rules.iter().any(Rule::delays_calls) {
            return Err(EngineError::Threads);
        }
        self.ask(|guard| guard.update(rules))?
    }

    /// Gives the plan another end: so long from now, or none (`None`).
    ///
    /// # Errors
    /// The plan has been stopped meanwhile.
    pub fn prolong(&mut self, duration: Option<Duration>) -> Result<(), EngineError> {
        self.ask(move |guard| guard.prolong(duration))?
    }

    /// Ends the faults, takes the programs off, hands out the last records and reports.
    ///
    /// # Errors
    /// The counters cannot be read.
    pub fn finish(mut self) -> Result<Report, EngineError> {
        let (answer, report) = mpsc::channel();
        self.tell(Job::Finish(answer))?;
        let report = report.recv().map_err(|_| gone())?;
        self.end_thread();
        report
    }

    /// Has the plan's thread do something with the plan, and waits for it.
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut engine::Guard) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let (answer, answers) = mpsc::channel();
        // Whoever waits for it cannot have gone.
        self.tell(Job::Ask(Box::new(move |guard| drop(answer.send(question(guard))))))?;
        answers.recv().map_err(|_| gone())
    }

    fn tell(&self, job: Job) -> Result<(), EngineError> {
        self.jobs.as_ref().ok_or_else(gone)?.send(job).map_err(|_| gone())
    }

    fn end_thread(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic on it has been told.
            let _ = thread.join();
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.end_thread();
    }
}

/// The life of a plan: it is waited for, and what is asked is done meanwhile.
async fn keep(
    mut guard: engine::Guard,
    mut todo: UnboundedReceiver<Job>,
    end: mpsc::Sender<Result<End, EngineError>>,
    mut record: impl FnMut(Record),
) {
    // Told once.
    let mut end = Some(end);
    loop {
        tokio::select! {
            job = todo.recv() => match job {
                Some(Job::Ask(question)) => question(&mut guard),
                Some(Job::Finish(answer)) => {
                    // Whoever waits for it cannot have gone.
                    let _ = answer.send(guard.finish(true, record));
                    return;
                }
                None => return,
            },
            over = guard.wait(&mut record), if end.is_some() => {
                // Nobody need wait for it.
                let _ = end.take().map(|end| end.send(over));
            }
        }
    }
}

fn gone() -> EngineError {
    EngineError::Worker(io::ErrorKind::BrokenPipe.into())
}
