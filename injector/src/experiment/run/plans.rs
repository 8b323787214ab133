//! The plans of an experiment's faults, each in a process of its own: made ready before anything is broken, so that a fault
//! begins and ends by a write into tables.
//!
//! What a plan is asked blocks until it answers, so it is asked on a thread that may block.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    child::{ChildError, ChildPlan},
    clock,
    engine::{Blame, RuleReport},
    experiment::journal::RuleCounters,
    plan::Options,
    spec::model::Rule,
    target::Target,
};

/// How long a plan outlives a fault whose runner stands still.
const GRACE: Duration = Duration::from_secs(10);

/// The plan of one fault step.
#[derive(Clone, Debug)]
pub(super) struct FaultPlan(Arc<Mutex<Option<Live>>>);

#[derive(Debug)]
struct Live {
    child: ChildPlan,
    /// When the whole run is over at the latest.
    deadline: u64,
    /// Rules that act, by their numbers.
    acting: Vec<u32>,
    monitor: bool,
}

/// A plan that cannot be had or asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct PlanError {
    /// What failed.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Whose fault it is.
    pub blame: Blame,
}

impl From<ChildError> for PlanError {
    fn from(error: ChildError) -> Self {
        let blame = if let ChildError::Refused { blame, .. } = &error { *blame } else { Blame::Other };
        Self { message: error.to_string(), hint: error.hint(), blame }
    }
}

/// What a plan is made of.
#[derive(Debug)]
pub(super) struct Wanted {
    /// All rules that the fault will ever have.
    pub repertoire: Vec<Rule>,
    /// Whom they mean.
    pub targets: Vec<Target>,
    /// The seed, names of hosts, and whether faults are only counted.
    pub options: Options,
    /// Where each fault is written to.
    pub log: PathBuf,
    /// When the whole run is over at the latest, nanoseconds of `CLOCK_BOOTTIME`.
    pub deadline: u64,
}

/// Rules that act.
#[derive(Clone, Debug)]
pub(super) struct Acting {
    /// The rules as text.
    pub rules: Vec<String>,
    /// What the user ought to know.
    pub notes: Vec<String>,
}

impl FaultPlan {
    /// Starts the process of a plan that does nothing yet.
    ///
    /// # Errors
    /// [`PlanError`]: what the rules need cannot be had.
    pub(super) fn start(wanted: Wanted) -> Result<(Self, Vec<String>), PlanError> {
        let Wanted { repertoire, targets, options, log, deadline } = wanted;
        let monitor = options.monitor;
        let left = Duration::from_nanos(deadline.saturating_sub(clock::now())) + GRACE;
        let options = options.repertoire(repertoire).duration(left);
        let child = ChildPlan::start_with_log(&[], &targets, &options, &log)?;
        let notes = child.notes().to_vec();
        let live = Live { child, deadline, acting: Vec::new(), monitor };
        Ok((Self(Arc::new(Mutex::new(Some(live)))), notes))
    }

    /// Does something with the plan, which may block.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Live) -> Result<T, PlanError> + Send + 'static,
    ) -> Result<T, PlanError> {
        let this = self.0.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let mut live = this.lock().unwrap_or_else(PoisonError::into_inner);
            match live.as_mut() {
                Some(live) => question(live),
                None => Err(gone()),
            }
        });
        asked.await.unwrap_or_else(|_| Err(gone()))
    }

    /// These rules act from now on, for `lasting` at the longest even if the runner stands still.
    ///
    /// # Errors
    /// [`PlanError`]: they cannot be had; what acted goes on.
    pub(super) async fn act(&self, rules: Vec<Rule>, lasting: Option<Duration>) -> Result<Acting, PlanError> {
        self.ask(move |live| {
            if let Some(lasting) = lasting {
                live.child.prolong(Some(lasting + GRACE))?;
            }
            let change = live.child.update(&rules)?;
            let all = change.kept.into_iter().chain(change.adjusted).chain(change.added);
            let (numbers, rules) = all.map(|rule| (rule.rule, rule.text)).unzip();
            live.acting = numbers;
            Ok(Acting { rules, notes: change.notes })
        })
        .await
    }

    /// The rules that act are switched off (`paused`) or on again; the moment from which that holds.
    ///
    /// # Errors
    /// [`PlanError`]: the process has ended.
    pub(super) async fn pause(&self, paused: bool) -> Result<u64, PlanError> {
        self.ask(move |live| live.pause(paused)).await
    }

    /// What the rules that act have counted.
    ///
    /// # Errors
    /// [`PlanError`]: the process has ended.
    pub(super) async fn counters(&self) -> Result<Vec<RuleCounters>, PlanError> {
        self.ask(Live::counters).await
    }

    /// The rules stop; the last moment at which they acted, and what they have counted.
    ///
    /// # Errors
    /// [`PlanError`]: the process has ended.
    pub(super) async fn idle(&self) -> Result<(u64, Vec<RuleCounters>), PlanError> {
        self.ask(|live| {
            let until = live.pause(true)?;
            let counters = live.counters()?;
            live.child.update(&[])?;
            live.acting.clear();
            let left = Duration::from_nanos(live.deadline.saturating_sub(clock::now()));
            live.child.prolong(Some(left + GRACE))?;
            Ok((until, counters))
        })
        .await
    }

    /// Ends the process; what is left behind or ought to be known.
    ///
    /// # Errors
    /// [`PlanError`]: it had ended by itself.
    pub(super) async fn finish(&self) -> Result<(bool, Vec<String>), PlanError> {
        let this = self.0.clone();
        let finished = tokio::task::spawn_blocking(move || {
            let live = this.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(gone)?;
            let report = live.child.finish()?;
            Ok((report.clean, report.notes))
        });
        finished.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn gone() -> PlanError {
    PlanError {
        message: "the process of a plan has ended".to_owned(),
        hint: "see what it has written to stderr".to_owned(),
        blame: Blame::Other,
    }
}

impl Live {
    fn pause(&mut self, paused: bool) -> Result<u64, PlanError> {
        let mut moment = 0;
        for &rule in &self.acting {
            moment = moment.max(self.child.pause(rule, paused)?.unwrap_or_default());
        }
        Ok(if moment == 0 { clock::now() } else { moment })
    }

    fn counters(&mut self) -> Result<Vec<RuleCounters>, PlanError> {
        let rules = self.child.rules()?;
        let acting = rules.iter().filter(|rule| self.acting.contains(&rule.rule));
        Ok(acting.map(|rule| counters(rule, self.monitor)).collect())
    }
}

/// A rule's counters as the journal has them.
fn counters(rule: &RuleReport, monitor: bool) -> RuleCounters {
    let suppressed: BTreeMap<_, _> =
        rule.suppressed.iter().map(|(reason, count)| (reason.clone().into_owned(), *count)).collect();
    RuleCounters {
        rule: rule.text.clone(),
        matched: rule.matched,
        fired: rule.fired,
        would_fire: if monitor { rule.effective() } else { 0 },
        suppressed,
    }
}
