//! The thread that carries the rules out. It looks at the plan's shared memory as the programs in the kernel do, so that
//! a deadline, `stop`, a lease that passes and a rule that is switched off mean the same here.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::Ordering::Relaxed,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use injector_common::shared::alive;

use crate::{
    clock,
    faults::{
        fault::Services,
        process::{
            acting::{Acting, Surroundings},
            victims::Spared,
            warden::Warden,
        },
    },
    kernel::rights,
    plan::PlannedRule,
    spec::process::model::ProcessRule,
    target::Target,
};

/// How often it looks at the shared memory while nothing is due.
const LOOK: Duration = Duration::from_millis(10);

/// The same before the plan acts: the command of `run` may begin at any time.
const BEFORE: Duration = Duration::from_millis(2);

/// What the thread is told.
pub(super) struct Orders {
    pub(super) rules: Vec<(PlannedRule, ProcessRule)>,
    pub(super) targets: Vec<Target>,
    pub(super) spared: Spared,
    /// A new one, if there has to be one by now.
    pub(super) warden: Option<Warden>,
}

/// What it works with.
pub(super) struct Tools {
    pub(super) plan: u32,
    pub(super) monitor: bool,
    /// Whether anybody reads what is done.
    pub(super) records: bool,
    /// The mount point of the hierarchy.
    pub(super) top: PathBuf,
    pub(super) services: Services,
}

/// What the thread has to say.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) notes: Vec<String>,
    /// What could not be taken back.
    pub(super) remains: Vec<String>,
}

/// The thread, and what it has to say. Dropping it ends it, and everybody goes on.
#[derive(Debug)]
pub(super) struct Driver {
    orders: Option<Sender<Orders>>,
    thread: Option<JoinHandle<()>>,
    told: Arc<Mutex<Told>>,
}

impl Driver {
    /// Starts it.
    pub(super) fn start(tools: Tools, orders: Orders) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let told = Arc::<Mutex<Told>>::default();
        let tell = Arc::clone(&told);
        let work = move || Work::new(tools, orders, tell).run(&receiver);
        let thread = thread::Builder::new().name("injector-faults".into()).spawn(work)?;
        Ok(Self { orders: Some(sender), thread: Some(thread), told })
    }

    /// Gives it other rules or targets; those that keep their number go on.
    pub(super) fn change(&self, orders: Orders) -> io::Result<()> {
        let sender = self.orders.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        sender.send(orders).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// What there is to know, once.
    pub(super) fn notes(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner).notes)
    }

    /// All that it has said, and nobody has heard.
    pub(super) fn told(&self) -> Told {
        std::mem::take(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends it: false if the thread has died.
    pub(super) fn stop(&mut self) -> bool {
        self.orders = None;
        self.thread.take().is_none_or(|thread| thread.join().is_ok())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop();
    }
}

/// All that the thread has.
struct Work {
    // First: who stands still goes on before the warden has to see to it.
    rules: Vec<Acting>,
    targets: Vec<Target>,
    spared: Spared,
    warden: Option<Warden>,
    tools: Tools,
    /// Rules that wait for the plan to act.
    waiting: Vec<(PlannedRule, ProcessRule)>,
    armed: bool,
    /// Has it given up what the plan does not need?
    below: bool,
    tell: Arc<Mutex<Told>>,
    /// The notes so far, since each is told once.
    known: Vec<String>,
}

impl Work {
    fn new(tools: Tools, orders: Orders, tell: Arc<Mutex<Told>>) -> Self {
        let Orders { rules, targets, spared, warden } = orders;
        Self {
            rules: Vec::new(),
            targets,
            spared,
            warden,
            tools,
            waiting: rules,
            armed: false,
            below: false,
            tell,
            known: Vec::new(),
        }
    }

    fn run(mut self, orders: &mpsc::Receiver<Orders>) {
        loop {
            self.keep_below();
            let now = clock::now();
            self.look(now);
            match orders.recv_timeout(self.patience(now)) {
                Ok(orders) => self.change(orders),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.finish();
    }

    fn keep_below(&mut self) {
        if let Err(error) = self.tools.services.ceiling.respect(&mut self.below) {
            self.note(rights::kept_by("the thread that carries out rules on processes", &error));
        }
    }

    /// How long nothing is due.
    fn patience(&self, now: u64) -> Duration {
        if !self.armed {
            return BEFORE;
        }
        let deadline = self.tools.services.handle.state().deadline.load(Relaxed);
        let due = self.rules.iter().filter_map(Acting::next).chain([deadline]).filter(|&due| due > now).min();
        due.map_or(LOOK, |due| LOOK.min(Duration::from_nanos(due - now)))
    }

    fn look(&mut self, now: u64) {
        if !self.armed {
            if self.tools.services.handle.state().armed.load(Relaxed) == 0 {
                return;
            }
            self.armed = true;
        }
        for (rule, asked) in self.waiting.drain(..) {
            self.rules.push(Acting::new(&rule, &asked, now));
        }
        if self.warden.as_ref().is_some_and(Warden::is_gone) {
            self.warden = None;
            self.note("injector-warden was ended from outside: nothing is paused any more".into());
        }
        self.each(now, Acting::look);
    }

    /// Has each rule do something, and tells what came of it.
    fn each(&mut self, now: u64, mut act: impl FnMut(&mut Acting, bool, &mut Surroundings<'_>)) {
        let Services { handle, log, .. } = &self.tools.services;
        let shared = handle.state();
        let (mut deeds, mut notes, mut remains) = (Vec::new(), Vec::new(), Vec::new());
        let mut around = Surroundings {
            plan: self.tools.plan,
            now,
            alive: alive(now, shared.deadline.load(Relaxed), shared.lease.load(Relaxed)),
            monitor: self.tools.monitor,
            guarded: self.warden.is_some(),
            targets: &self.targets,
            spared: &self.spared,
            top: &self.tools.top,
            deeds: &mut deeds,
            notes: &mut notes,
            remains: &mut remains,
        };
        for rule in &mut self.rules {
            let before = rule.counters;
            act(rule, shared.is_paused(rule.number), &mut around);
            if rule.counters != before
                && let Err(error) = handle.count(rule.number, &rule.counters)
            {
                tracing::warn!(%error, rule = rule.number, "cannot count");
            }
        }
        if self.tools.records {
            // Nobody reads them any more if this fails.
            for deed in deeds {
                let _ = log.send(deed);
            }
        }
        for note in notes {
            self.note(note);
        }
        self.tell.lock().unwrap_or_else(PoisonError::into_inner).remains.extend(remains);
    }

    fn change(&mut self, orders: Orders) {
        let Orders { rules, targets, spared, warden } = orders;
        let stays = |number: u32| rules.iter().any(|(rule, _)| rule.number == number);
        self.each(clock::now(), |rule, _, around| {
            if !stays(rule.number) {
                rule.let_go(around);
            }
        });
        self.rules.retain(|rule| stays(rule.number));
        for (number, (old, new)) in self.targets.iter().zip(&targets).enumerate() {
            let id = |target: &Target| target.as_cgroup().map(crate::target::Cgroup::id);
            if id(old) != id(new) {
                self.rules.iter_mut().for_each(|rule| rule.met_again(number));
            }
        }
        let known = |number: u32| self.rules.iter().any(|rule| rule.number == number);
        self.waiting = rules.into_iter().filter(|(rule, _)| !known(rule.number)).collect();
        (self.targets, self.spared) = (targets, spared);
        if warden.is_some() {
            self.warden = warden;
        }
        if let Some(warden) = &self.warden {
            self.spared.own.insert(warden.number());
        }
    }

    fn finish(mut self) {
        self.each(clock::now(), |rule, _, around| rule.let_go(around));
    }

    fn note(&mut self, note: String) {
        if !self.known.contains(&note) {
            self.tell.lock().unwrap_or_else(PoisonError::into_inner).notes.push(note.clone());
            self.known.push(note);
        }
    }
}
