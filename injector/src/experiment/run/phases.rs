//! The phases of a run, in their order. Whatever fails, the faults go off, the rollback is done, and the lab is taken down.

use std::{sync::Arc, time::Duration};

use crate::{
    clock,
    experiment::{
        condition::Condition,
        journal::{Phase, Record},
        judge::Judge,
        lab::RunPlace,
        model::{Located, ProbeKind, Step, StepKind},
        run::{
            Abort, Recorder, SETTLE,
            context::{Context, Stop},
            fault, method, outside,
            sources::Sources,
            start_lab, watch,
        },
        warden::Warden,
    },
};

/// How often it is looked whether a state is reached.
const LOOK: Duration = Duration::from_millis(100);

/// All phases.
pub(super) async fn run(mut context: Context, name: &RunPlace, warden: &Warden) {
    context.recorder.phase(Phase::Prepare);
    let started = match context.abort.clone().unless(start_lab(&context, name, warden)).await {
        Ok(Ok(lab)) => {
            if let Some(lab) = lab {
                context.outside = outside(&lab, &context.experiment, name.origin.clone());
                context.lab = Some(Arc::new(lab));
            }
            Ok(())
        }
        Ok(Err(error)) => Err(Stop::Failed(format!("the lab cannot be built: {error}; {}", error.hint()))),
        Err(_) => Err(Stop::Aborted),
    };
    let context = Arc::new(context);
    let mut watching = tokio::spawn(watch::watch(context.clone()));
    let mut sources = Sources::new(context.clone());
    let mut result = started;
    if result.is_ok() {
        result = broken(&context, &mut sources).await;
    }
    if let Err(stop) = &result {
        tell(&context, stop);
    }
    rollback(&context, &sources, result.is_ok()).await;
    let mut told = result == Err(Stop::Aborted);
    let (recorder, abort) = (context.recorder.clone(), context.abort.clone());
    cut_short(&recorder, &abort, &mut told);
    sources.phase(Phase::Stop);
    sources.stop().await;
    watching.abort();
    let _ = (&mut watching).await;
    take_down(context).await;
    cut_short(&recorder, &abort, &mut told);
}

/// Tells of whoever ended the run when its method was over. Nothing is left out for it, and it is no run of its own accord.
fn cut_short(recorder: &Recorder, abort: &Abort, told: &mut bool) {
    if let Some(reason) = abort.reason().filter(|_| !*told) {
        recorder.record(Record::Abort { reason: reason.text, asked: reason.asked });
        *told = true;
    }
}

/// From the steady state to the end of what is judged.
async fn broken(context: &Arc<Context>, sources: &mut Sources) -> Result<(), Stop> {
    context.abort.unless(prepare(context, &context.experiment.method)).await??;
    let begin = sources.phase(Phase::Before);
    sources.start(begin).map_err(Stop::Failed)?;
    if let Some(steady) = &context.experiment.steady {
        let held = held(context, &steady.hold, Phase::Before, steady.lasting, steady.within).await?;
        if !held {
            let within = humantime::format_duration(steady.within);
            let why = format!(
                "the steady state was not there within {within}: {}",
                missing(context, &steady.hold, Phase::Before)
            );
            return Err(Stop::Failed(why));
        }
    }
    sources.phase(Phase::During);
    let result = method::run(context).await;
    sources.phase(Phase::Recovery);
    // A step that failed ends the method, not what can be learned of the recovery.
    let failed = match result {
        Err(Stop::Aborted) => return Err(Stop::Aborted),
        other => other,
    };
    if let Some(hypothesis) = &context.experiment.hypothesis {
        if let Some(recovery) = &hypothesis.recovery {
            held(context, &recovery.hold, Phase::Recovery, recovery.settle, recovery.within).await?;
        }
        if !hypothesis.after.is_empty() {
            sources.phase(Phase::After);
            sources.look_for_losses().await;
            let length =
                hypothesis.after.iter().map(|condition| needed(context, condition)).max().unwrap_or_default();
            context.abort.sleep_until(clock::now() + clock::nanoseconds(length)).await?;
        }
    }
    failed
}

/// The plans of all faults whose targets are known already.
async fn prepare(context: &Arc<Context>, steps: &[Step]) -> Result<(), Stop> {
    for step in steps {
        match &step.kind {
            StepKind::Fault(fault) => {
                let known = fault.targets.iter().all(|target| context.fill(&target.value).is_ok());
                if known {
                    let prepared = fault::prepare(context, step, fault).await;
                    prepared.map_err(|stop| match stop {
                        Stop::Failed(why) => {
                            Stop::Failed(format!("the fault `{}` cannot be had: {why}", fault.name))
                        }
                        Stop::Aborted => Stop::Aborted,
                    })?;
                }
            }
            StepKind::Parallel(steps) | StepKind::Sequence(steps) | StepKind::Repeat { steps, .. } => {
                Box::pin(prepare(context, steps)).await?;
            }
            _ => (),
        }
    }
    Ok(())
}

/// Whether conditions come to hold for `length` at a stretch, within `within`.
async fn held(
    context: &Arc<Context>,
    conditions: &[Located<Condition>],
    phase: Phase,
    length: Duration,
    within: Duration,
) -> Result<bool, Stop> {
    let end = clock::now() + clock::nanoseconds(within);
    let mut judged = None;
    loop {
        // What was due in time is known a while later.
        let known = |condition: &Located<Condition>| {
            context
                .recorder
                .ask(|account| account.evidence().known_until(&condition.source))
                .unwrap_or_default()
        };
        let all = conditions.iter().map(known).min().unwrap_or(u64::MAX);
        // Each look goes through the whole phase, so it is worth one only when there is something new.
        if judged != Some(all) || conditions.is_empty() {
            judged = Some(all);
            let from = context.recorder.ask(|account| {
                Judge { evidence: account.evidence(), confidence: None }.held_from(conditions, phase, length)
            });
            if from.is_some() {
                return Ok(true);
            }
        }
        if clock::now() >= end && (all >= end || clock::now() >= end + clock::nanoseconds(SETTLE)) {
            return Ok(false);
        }
        context.abort.unless(tokio::time::sleep(LOOK)).await?;
    }
}

/// Which conditions are not so, with their numbers.
fn missing(context: &Context, conditions: &[Located<Condition>], phase: Phase) -> String {
    let of = |condition: &Located<Condition>| {
        context.recorder.ask(|account| {
            let judge = Judge { evidence: account.evidence(), confidence: None };
            let judgement = judge.window(condition, account.evidence().whole(&condition.source, phase));
            let window = account.evidence().whole(&condition.source, phase);
            let reasons = window.map(|window| window.reasons()).unwrap_or_default();
            let reason = reasons.first().map(|(reason, count)| format!(", {count} times {reason}"));
            let measured =
                judgement.measured.map_or("nothing".to_owned(), |measured| format!("{measured:.4}"));
            format!(
                "`{}` ({measured} of {} samples{})",
                condition.value,
                judgement.samples,
                reason.unwrap_or_default()
            )
        })
    };
    conditions.iter().map(of).collect::<Vec<_>>().join(", ")
}

/// How long a condition has to be looked at to be judged.
fn needed(context: &Context, condition: &Condition) -> Duration {
    let experiment = &context.experiment;
    if let Some(over) = condition.over {
        return over;
    }
    let samples = u32::try_from(condition.measure.samples_needed()).unwrap_or(u32::MAX);
    if let Some(load) = experiment.loads.get(&condition.source) {
        return Duration::from_secs_f64(f64::from(samples) / load.rate.max(0.001))
            .max(Duration::from_secs(1));
    }
    match experiment.probes.get(&condition.source) {
        Some(probe) if !matches!(probe.kind, ProbeKind::Lost { .. } | ProbeKind::Log { .. }) => {
            probe.every * samples + probe.timeout
        }
        _ => Duration::ZERO,
    }
}

/// The run ends early.
fn tell(context: &Context, stop: &Stop) {
    let record = match (stop, context.abort.reason()) {
        (Stop::Failed(why), _) => Record::Failed { why: why.clone() },
        (Stop::Aborted, Some(reason)) => Record::Abort { reason: reason.text, asked: reason.asked },
        (Stop::Aborted, None) => Record::Failed { why: "it was aborted".to_owned() },
    };
    // A step that failed has told so at its end.
    let told = matches!(&record, Record::Failed { why } if context.recorder.ask(|account| account.has_failed_step(why)));
    if !told {
        context.recorder.record(record);
    }
}

/// The rollback, once the method has begun, and the steady state once more.
async fn rollback(context: &Arc<Context>, sources: &Sources, judge: bool) {
    let begun = context.recorder.ask(|account| account.evidence().phase(Phase::During).is_some());
    if !begun || context.experiment.rollback.is_empty() {
        return;
    }
    sources.phase(Phase::Rollback);
    for one in &context.experiment.rollback {
        let action = one.deed.to_string();
        let failure = tokio::select! {
            biased;
            () = context.abort.hurried() => Some("it was left out: a second signal came".to_owned()),
            done = context.act(one) => done.err(),
        };
        context.recorder.record(Record::Rollback { action, failure });
    }
    if let Some(steady) = context.experiment.steady.as_ref().filter(|_| judge) {
        sources.phase(Phase::Verify);
        let _ = context.abort.sleep_until(clock::now() + clock::nanoseconds(steady.lasting)).await;
        sources.settle().await;
    }
}

/// Plans and the lab end.
async fn take_down(context: Arc<Context>) {
    for (path, plan) in context.take_plans() {
        match plan.finish().await {
            Ok((true, _)) => (),
            Ok((false, notes)) => {
                let what = format!("the plan of {path}: {}", notes.join("; "));
                context.recorder.record(Record::Unclean { what });
            }
            Err(error) => context.recorder.warn(format!("{path}: {error}")),
        }
    }
    let recorder = context.recorder.clone();
    let lab = Arc::into_inner(context).and_then(|context| context.lab).and_then(Arc::into_inner);
    if let Some(lab) = lab {
        for what in lab.stop().await {
            recorder.record(Record::Unclean { what });
        }
    }
}
