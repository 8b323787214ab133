//! The method: its steps, one after the other, beside each other, again.

use std::{pin::Pin, sync::Arc, time::Duration};

use tokio::{sync::Mutex, task::JoinSet};

use crate::{
    clock,
    experiment::{
        journal::{Phase, Record, StepEnd},
        judge::{Judge, Truth},
        model::{Every, Step, StepKind},
        run::{
            capture,
            commander::Permit,
            context::{Context, Stop},
            fault,
        },
    },
};

/// A step later than this is told of, nanoseconds.
const LATE: u64 = 250_000_000;
/// How often a condition that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Does the whole method, and returns when all faults are off.
///
/// # Errors
/// [`Stop`]: the run is to end, or a step failed.
pub(super) async fn run(context: &Arc<Context>) -> Result<(), Stop> {
    let method = Method {
        context: context.clone(),
        lasting: Arc::new(Mutex::new(JoinSet::new())),
        open: Arc::new(Mutex::new(JoinSet::new())),
    };
    let scope = Scope { plain: String::new(), actual: String::new() };
    let mut result = method.clone().list(context.experiment.method.clone(), scope).await;
    // A failed method waits for nothing more; its faults end at once, by the same store as at the end.
    if result.is_err() {
        context.over.send_replace(true);
    }
    result = drain(&method.lasting, result).await;
    context.over.send_replace(true);
    drain(&method.open, result).await
}

type Background = Arc<Mutex<JoinSet<Result<(), Stop>>>>;

async fn drain(background: &Background, mut result: Result<(), Stop>) -> Result<(), Stop> {
    let mut background = background.lock().await;
    while let Some(ended) = background.join_next().await {
        result = result.and(ended.unwrap_or_else(|error| Err(Stop::Failed(error.to_string()))));
    }
    result
}

#[derive(Clone)]
struct Method {
    context: Arc<Context>,
    /// Faults that end by themselves, and that no step waits for.
    lasting: Background,
    /// Faults that end with the method.
    open: Background,
}

/// Where the paths of steps begin, in the file and, with repetitions, in the journal.
#[derive(Clone)]
struct Scope {
    plain: String,
    actual: String,
}

impl Scope {
    fn path(&self, step: &Step) -> String {
        format!("{}{}", self.actual, step.path.strip_prefix(&self.plain).unwrap_or(&step.path))
    }
}

type Steps = Pin<Box<dyn Future<Output = Result<(), Stop>> + Send>>;

impl Method {
    /// Steps one after the other.
    fn list(self, steps: Vec<Step>, scope: Scope) -> Steps {
        Box::pin(async move {
            let begin = clock::now();
            for step in steps {
                let due = step.at.map_or_else(clock::now, |at| begin + clock::nanoseconds(at));
                self.context.abort.sleep_until(due).await?;
                self.clone().step(step, scope.clone(), due).await?;
            }
            Ok(())
        })
    }

    fn step(self, step: Step, scope: Scope, due: u64) -> Steps {
        Box::pin(async move {
            let path = scope.path(&step);
            let context = &self.context;
            if context.abort.reason().is_some() {
                return Err(Stop::Aborted);
            }
            let (what, note) = (describe(&step.kind), step.note.clone());
            let asked = context.commander.permit(&context.recorder, &path, &what);
            let (permit, waited) = context.abort.unless(asked).await?;
            // What somebody has kept waiting is not late.
            let due = if waited { clock::now() } else { due };
            let at = context.recorder.record(Record::Step { path: path.clone(), due, what, note });
            if permit == Permit::Skip {
                context.recorder.record(Record::Ended { path, end: StepEnd::Skipped, until: at });
                return Ok(());
            }
            if at.saturating_sub(due) > LATE {
                let late = Duration::from_nanos(at - due).as_millis();
                context.recorder.warn(format!("{path} began {late} ms late"));
            }
            if let StepKind::Fault(fault) = &step.kind {
                return self.fault(&step, fault, path).await;
            }
            let result =
                self.clone().other(step.kind, &path, &Scope { plain: step.path, actual: path.clone() }).await;
            let end = match &result {
                Ok(()) => StepEnd::Done,
                Err(Stop::Aborted) => StepEnd::Aborted,
                Err(Stop::Failed(why)) => StepEnd::Failed(why.clone()),
            };
            let until = clock::now();
            context.recorder.record(Record::Ended { path, end, until });
            result
        })
    }

    async fn fault(
        &self,
        step: &Step,
        fault: &crate::experiment::model::Fault,
        path: String,
    ) -> Result<(), Stop> {
        let acting = match fault::begin(&self.context, step, fault, &path).await {
            Ok(acting) => acting,
            Err(why) => {
                let end = match &why {
                    Stop::Aborted => StepEnd::Aborted,
                    Stop::Failed(why) => StepEnd::Failed(why.clone()),
                };
                let until = clock::now();
                self.context.recorder.record(Record::Ended { path, end, until });
                return Err(why);
            }
        };
        match acting.lasting() {
            None => {
                self.open.lock().await.spawn(acting.run());
            }
            Some(_) if fault.background => {
                self.lasting.lock().await.spawn(acting.run());
            }
            Some(_) => return acting.run().await,
        }
        Ok(())
    }

    async fn other(self, kind: StepKind, path: &str, scope: &Scope) -> Result<(), Stop> {
        let context = self.context.clone();
        match kind {
            // Done by the caller.
            StepKind::Fault(_) => Ok(()),
            StepKind::Wait(time) => {
                Ok(context.abort.sleep_until(clock::now() + clock::nanoseconds(time)).await?)
            }
            StepKind::Until { condition, within } => {
                let end = clock::now() + clock::nanoseconds(within);
                while clock::now() < end {
                    let holds = context.recorder.ask(|account| {
                        let evidence = account.evidence();
                        let known = evidence.known_until(&condition.source)?;
                        let judge = Judge { evidence, confidence: None };
                        Some(judge.last(&condition, known).truth == Truth::True)
                    });
                    if holds == Some(true) {
                        return Ok(());
                    }
                    context.abort.unless(tokio::time::sleep(LOOK)).await?;
                }
                let within = humantime::format_duration(within);
                Err(Stop::Failed(format!("`{}` was not so within {within}", condition.value)))
            }
            StepKind::Check(conditions) => {
                let begin = clock::now();
                // Samples that were due before are known a time-out later.
                let end = begin + 10 * 1_000_000_000;
                let known =
                    |source: &str| context.recorder.ask(|account| account.evidence().known_until(source));
                while clock::now() < end
                    && conditions
                        .iter()
                        .any(|condition| known(&condition.source).unwrap_or_default() + 1_000_000_000 < begin)
                {
                    context.abort.unless(tokio::time::sleep(LOOK)).await?;
                }
                let confidence = context.experiment.hypothesis.as_ref().and_then(|all| all.confidence);
                let judgements = context.recorder.ask(|account| {
                    let judge = Judge { evidence: account.evidence(), confidence };
                    conditions.iter().map(|condition| judge.phase(condition, Phase::During)).collect()
                });
                context.recorder.record(Record::Checked { path: path.to_owned(), judgements });
                Ok(())
            }
            StepKind::Set(captures) => {
                for one in &captures {
                    capture::capture(&context, one, path).await?;
                }
                Ok(())
            }
            StepKind::Run(action) => {
                let done = context.abort.unless(context.act(&action)).await?;
                done.map_err(Stop::Failed)
            }
            StepKind::Sequence(steps) => self.list(steps, scope.clone()).await,
            StepKind::Parallel(steps) => self.parallel(steps, scope).await,
            StepKind::Repeat { times, every, steps } => self.repeat(times, every, &steps, scope).await,
        }
    }

    async fn parallel(self, steps: Vec<Step>, scope: &Scope) -> Result<(), Stop> {
        let mut all = JoinSet::new();
        for step in steps {
            // Each is a list of its own, so that `at` counts from here.
            all.spawn(self.clone().list(vec![step], scope.clone()));
        }
        let mut result = Ok(());
        while let Some(ended) = all.join_next().await {
            result = result.and(ended.unwrap_or_else(|error| Err(Stop::Failed(error.to_string()))));
        }
        result
    }

    async fn repeat(
        self,
        times: u32,
        every: Option<Every>,
        steps: &[Step],
        scope: &Scope,
    ) -> Result<(), Stop> {
        let context = self.context.clone();
        let mut due = clock::now();
        for round in 1..=times {
            match &every {
                Some(Every::Cron(cron)) => {
                    let wait = until_next(cron).map_err(Stop::Failed)?;
                    due = clock::now() + clock::nanoseconds(wait);
                }
                Some(Every::Interval(interval)) if round > 1 => due += clock::nanoseconds(*interval),
                _ => due = clock::now(),
            }
            let actual = format!("{}[{round}]", scope.actual);
            let late = clock::now().saturating_sub(due);
            if late > LATE {
                let late = Duration::from_nanos(late).as_millis();
                context
                    .recorder
                    .warn(format!("{actual} is due {late} ms before the round before it has ended"));
                due = clock::now();
            }
            context.abort.sleep_until(due).await?;
            let scope = Scope { plain: scope.plain.clone(), actual };
            self.clone().list(steps.to_vec(), scope).await?;
        }
        Ok(())
    }
}

/// How long it is to the next moment of a cron expression, in UTC.
///
/// # Errors
/// It has none.
fn until_next(cron: &croner::Cron) -> Result<Duration, String> {
    let now = chrono::Utc::now();
    let next = cron.find_next_occurrence(&now, false).map_err(|error| error.to_string())?;
    Ok((next - now).to_std().unwrap_or_default())
}

/// A step in a few words.
fn describe(kind: &StepKind) -> String {
    match kind {
        StepKind::Fault(fault) => {
            let targets: Vec<_> = fault.targets.iter().map(|target| target.value.to_string()).collect();
            format!("fault {} on {}", fault.name, targets.join(", "))
        }
        StepKind::Wait(time) => format!("wait {}", humantime::format_duration(*time)),
        StepKind::Until { condition, within } => {
            format!("until {} within {}", condition.value, humantime::format_duration(*within))
        }
        StepKind::Check(conditions) => {
            let all: Vec<_> = conditions.iter().map(|condition| condition.value.to_string()).collect();
            format!("check {}", all.join(", "))
        }
        StepKind::Set(captures) => {
            let all: Vec<_> = captures.iter().map(|capture| capture.name.value.clone()).collect();
            format!("set {}", all.join(", "))
        }
        StepKind::Run(_) => "run a command".to_owned(),
        StepKind::Parallel(steps) => format!("{} steps beside each other", steps.len()),
        StepKind::Sequence(steps) => format!("{} steps", steps.len()),
        StepKind::Repeat { times, .. } => format!("{times} times"),
    }
}
