//! A fault step: its rules begin, change, come and go, and end, at moments that are computed and not slept relatively.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use crate::{
    clock,
    experiment::{
        journal::{Record, RuleCounters, StepEnd},
        model::{Fault, Part, ProcessFault, Step},
        run::{
            context::{Context, Stop},
            plans::{FaultPlan, Wanted},
            rules::{self, Names},
            targets,
        },
        schedule::{Edge, Stage, edges, stages, sub_seed},
    },
    plan::Options,
};

/// Counters are told of this often, nanoseconds.
const TOLD: u64 = 1_000_000_000;
/// A signal that a fault sends has been sent by then.
const AT_ONCE: Duration = Duration::from_secs(2);

impl Names for Context {
    fn value(&self, name: &str) -> Option<String> {
        self.variables.value(name)
    }

    fn address(&self, service: &str) -> Option<IpAddr> {
        self.lab.as_ref()?.address(service).ok()
    }

    fn others(&self, services: &[String]) -> Vec<IpAddr> {
        let Some(lab) = &self.lab else { return Vec::new() };
        let others = lab.services().filter(|name| !services.iter().any(|service| service == name));
        others.filter_map(|name| lab.address(name).ok()).collect()
    }
}

/// A fault that acts.
#[derive(Debug)]
pub(super) struct Acting {
    context: Arc<Context>,
    fault: Fault,
    path: String,
    targets: Vec<String>,
    plan: Option<FaultPlan>,
    since: u64,
    varied: BTreeMap<String, String>,
    /// What is counted of parts that are no rules.
    besides: Vec<RuleCounters>,
}

/// Makes the plan of a fault ready. `None` if it has no rules.
///
/// # Errors
/// A target does not exist, or the kernel cannot do what a rule asks for.
pub(super) async fn prepare(
    context: &Context,
    step: &Step,
    fault: &Fault,
) -> Result<Option<FaultPlan>, Stop> {
    let names = targets::names(context, fault)?;
    let repertoire = rules::repertoire(fault, &names, context).map_err(Stop::Failed)?;
    if repertoire.is_empty() {
        return Ok(None);
    }
    let mut options = Options::default().seed(sub_seed(context.seed, &step.path));
    options.monitor = context.monitor;
    for (host, address) in context.outside.hosts.iter() {
        options = options.host(host.clone(), [*address]);
    }
    let wanted = Wanted {
        repertoire,
        targets: targets::all(context, &names).await?,
        options,
        log: context.folder.join("faults.jsonl"),
        deadline: context.deadline,
    };
    let started = tokio::task::spawn_blocking(move || FaultPlan::start(wanted)).await;
    let started = started.map_err(|error| Stop::Failed(error.to_string()))?;
    let (plan, notes) = started.map_err(|error| Stop::Failed(format!("{error}; {}", error.hint)))?;
    for note in notes {
        context.recorder.warn(format!("{}: {note}", fault.name));
    }
    context.keep_plan(&step.path, plan.clone());
    Ok(Some(plan))
}

/// Begins a fault.
///
/// # Errors
/// [`Stop`]: it cannot be had.
pub(super) async fn begin(
    context: &Arc<Context>,
    step: &Step,
    fault: &Fault,
    path: &str,
) -> Result<Acting, Stop> {
    let plan = match context.plan(&step.path) {
        Some(plan) => Some(plan),
        None => prepare(context, step, fault).await?,
    };
    let targets = targets::names(context, fault)?;
    let mut acting = Acting {
        context: context.clone(),
        fault: fault.clone(),
        path: path.to_owned(),
        targets,
        plan,
        since: 0,
        varied: BTreeMap::new(),
        besides: Vec::new(),
    };
    for (name, stages) in acting.stages()? {
        let first = stages.first().map(|stage| stage.value.to_string());
        acting.varied.insert(name, first.unwrap_or_default());
    }
    let rules = acting.act().await?;
    acting.restart().await?;
    acting.since = clock::now();
    context.recorder.record(Record::Acting { path: path.to_owned(), since: acting.since, rules });
    acting.tell().await;
    Ok(acting)
}

impl Acting {
    /// How long it acts; `None` to the end of the method. A fault that only kills or restarts is over at once.
    pub(super) fn lasting(&self) -> Option<Duration> {
        self.fault.lasting.or_else(|| self.is_momentary().then_some(Duration::ZERO))
    }

    fn is_momentary(&self) -> bool {
        let momentary = |part: &Part| matches!(part, Part::Process(process) if matches!(process.value, ProcessFault::Kill(_) | ProcessFault::Restart));
        self.fault.parts.iter().all(momentary)
    }

    fn stages(&self) -> Result<Vec<(String, Vec<Stage>)>, Stop> {
        let lasting = self.fault.lasting.unwrap_or_default();
        let all = self.fault.vary.iter().map(|(name, vary)| Ok((name.clone(), stages(vary, lasting)?)));
        all.collect::<Result<_, crate::experiment::schedule::AmountError>>()
            .map_err(|error| Stop::Failed(format!("{error}; {}", error.hint())))
    }

    /// The rules with the numbers of now act.
    async fn act(&mut self) -> Result<Vec<String>, Stop> {
        let Some(plan) = &self.plan else { return Ok(Vec::new()) };
        let rules =
            rules::rules(&self.fault, &self.targets, &self.varied, &*self.context).map_err(Stop::Failed)?;
        let acting = plan.act(rules, self.fault.lasting).await;
        let acting = acting.map_err(|error| Stop::Failed(format!("{error}; {}", error.hint)))?;
        for note in acting.notes {
            self.context.recorder.warn(format!("{}: {note}", self.fault.name));
        }
        Ok(acting.rules)
    }

    /// Services are stopped and started again, if that is part of it.
    async fn restart(&mut self) -> Result<(), Stop> {
        let restarts =
            |part: &Part| matches!(part, Part::Process(process) if process.value == ProcessFault::Restart);
        if !self.fault.parts.iter().any(restarts) {
            return Ok(());
        }
        let monitor = self.context.monitor;
        for name in &self.targets {
            let Some(lab) = &self.context.lab else {
                return Err(Stop::Failed(format!(
                    "`{name}` is no service of the lab, and cannot be restarted"
                )));
            };
            if !monitor {
                lab.restart(name)
                    .await
                    .map_err(|error| Stop::Failed(format!("{error}; {}", error.hint())))?;
            }
            self.besides.push(RuleCounters {
                rule: format!("restart {name}"),
                matched: 1,
                fired: u64::from(!monitor),
                would_fire: u64::from(monitor),
                suppressed: BTreeMap::new(),
            });
        }
        Ok(())
    }

    /// Tells of its counters.
    async fn tell(&self) -> Vec<RuleCounters> {
        let rules = match &self.plan {
            Some(plan) => plan.counters().await,
            None => Ok(Vec::new()),
        };
        match rules {
            Ok(rules) => self.told(rules),
            Err(error) => {
                self.context.recorder.warn(format!("{}: {error}", self.path));
                Vec::new()
            }
        }
    }

    fn told(&self, mut rules: Vec<RuleCounters>) -> Vec<RuleCounters> {
        rules.extend(self.besides.iter().cloned());
        let (path, fault) = (self.path.clone(), self.fault.name.clone());
        self.context.recorder.record(Record::Counters { path, fault, rules: rules.clone() });
        rules
    }

    /// Acts to its end, and ends.
    ///
    /// # Errors
    /// [`Stop`]: the run is to end, or the plan has ended.
    pub(super) async fn run(mut self) -> Result<(), Stop> {
        let acted = if self.is_momentary() { self.strike().await } else { self.last().await };
        let (until, ended) = match &self.plan {
            Some(plan) => match plan.idle().await {
                Ok((until, rules)) => {
                    self.told(rules);
                    (until, Ok(()))
                }
                Err(error) => (clock::now(), Err(Stop::Failed(format!("{error}; {}", error.hint)))),
            },
            None => (clock::now(), Ok(())),
        };
        let result = acted.and(ended);
        let end = match &result {
            Ok(()) => StepEnd::Done,
            Err(Stop::Aborted) => StepEnd::Aborted,
            Err(Stop::Failed(why)) => StepEnd::Failed(why.clone()),
        };
        self.context.recorder.record(Record::Ended { path: self.path, end, until });
        result
    }

    /// Until each rule has been a fault once, as a signal is at once.
    async fn strike(&self) -> Result<(), Stop> {
        let end = clock::now() + clock::nanoseconds(AT_ONCE);
        while clock::now() < end {
            let rules = self.tell().await;
            if rules.iter().all(|rule| rule.fired + rule.would_fire > 0) {
                break;
            }
            self.context.abort.unless(tokio::time::sleep(Duration::from_millis(20))).await?;
        }
        Ok(())
    }

    /// Until it is over, with what changes meanwhile.
    async fn last(&mut self) -> Result<(), Stop> {
        let at = |time: Duration| self.since + clock::nanoseconds(time);
        let end = self.lasting().map_or(u64::MAX, at);
        let mut stages: Vec<(u64, String, String)> = Vec::new();
        for (name, all) in self.stages()? {
            stages.extend(
                all.iter().skip(1).map(|stage| (at(stage.at), name.clone(), stage.value.to_string())),
            );
        }
        // Two that change at the same moment keep their order.
        stages.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
        let seed = sub_seed(self.context.seed, &format!("{}/pulse", self.path));
        let mut pulse = self.fault.pulse.map(|pulse| edges(pulse, seed).peekable());
        let mut tick = self.since + TOLD;
        let mut over = self.context.over.subscribe();
        loop {
            let edge = pulse.as_mut().and_then(|pulse| pulse.peek().copied());
            let edge = edge.map_or(u64::MAX, |Edge { at, .. }| self.since + clock::nanoseconds(at));
            let stage = stages.last().map_or(u64::MAX, |(at, ..)| *at);
            let next = end.min(edge).min(stage).min(tick);
            let waited = tokio::select! {
                waited = self.context.abort.sleep_until(next) => waited,
                _ = over.wait_for(|over| *over) => return Ok(()),
            };
            waited?;
            if next == end {
                return Ok(());
            } else if next == edge {
                let active = pulse.as_mut().and_then(Iterator::next).is_some_and(|edge| edge.active);
                self.switch(active).await?;
            } else if next == stage {
                self.change(&mut stages, next).await?;
            } else {
                self.tell().await;
                tick = clock::now().max(tick) + TOLD;
            }
        }
    }

    async fn switch(&self, active: bool) -> Result<(), Stop> {
        let Some(plan) = &self.plan else { return Ok(()) };
        let since = plan.pause(!active).await.map_err(|error| Stop::Failed(error.to_string()))?;
        let to = if active { "active" } else { "idle" };
        self.context.recorder.record(Record::Changed { path: self.path.clone(), since, to: to.to_owned() });
        Ok(())
    }

    /// All numbers that change at this moment.
    async fn change(&mut self, stages: &mut Vec<(u64, String, String)>, moment: u64) -> Result<(), Stop> {
        let mut to = Vec::new();
        while let Some((_, name, value)) = stages.pop_if(|(at, ..)| *at <= moment) {
            to.push(format!("{name}={value}"));
            self.varied.insert(name, value);
        }
        self.act().await?;
        let (path, since) = (self.path.clone(), clock::now());
        self.context.recorder.record(Record::Changed { path, since, to: to.join(" ") });
        Ok(())
    }
}
