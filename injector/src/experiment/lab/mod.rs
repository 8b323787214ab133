//! The lab: services that a run starts for itself, with a network and names of their own, which end with it.
//!
//! Namespaces are held by descriptors, of the runner and of whoever lives in them, and go with the last one. Processes and
//! cgroups are the warden's to remove when the runner is killed.

mod addresses;
mod build;
mod cgroups;
mod entry;
mod error;
mod home;
mod logs;
mod members;
mod mounts;
mod order;
mod prepare;
mod program;
mod ready;
mod supervisor;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    sync::{mpsc::UnboundedSender, oneshot, watch},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

pub use self::error::LabError;
use self::{
    cgroups::Cgroups,
    home::Home,
    program::Program,
    supervisor::{Ask, State, look_after},
};
use crate::experiment::{
    journal::Record, model, namespaces::Namespaces, variables::Variables, warden::Warden,
};

/// How many of its last lines a service that failed is cited with.
const LAST_LINES: usize = 10;

/// So long after a service's time is over, its supervisor has said why.
const GRACE: Duration = Duration::from_millis(200);

/// Where a run has its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPlace {
    /// Its folder, which is there.
    pub folder: PathBuf,
    /// Its name, which its cgroup has as well.
    pub name: String,
    /// The folder of the experiment's file, where commands of loads, probes and actions begin.
    pub origin: PathBuf,
}

/// Services that run. Dropping it kills them.
#[derive(Debug)]
pub struct Lab {
    /// Of loads, probes and actions in no service.
    hub: Namespaces,
    members: BTreeMap<String, Member>,
    /// In the order in which they were started.
    waves: Vec<Vec<String>>,
    cgroups: Cgroups,
}

/// A service.
#[derive(Debug)]
struct Member {
    home: Home,
    running: Option<Running>,
}

/// A service that was started.
#[derive(Debug)]
struct Running {
    asking: UnboundedSender<Ask>,
    state: watch::Receiver<State>,
    task: JoinHandle<()>,
}

impl Lab {
    /// Makes all places, does what prepares the lab, and starts its services, each when those that it comes after are ready.
    /// What they do comes as [`Record::Service`]. Returns when all are ready; dropping the future kills what was started. To
    /// be called in a tokio runtime.
    ///
    /// # Errors
    /// [`LabError`]: a place cannot be made, or a service is not ready in time; nothing runs then.
    pub async fn start(
        lab: &model::Lab,
        run: &RunPlace,
        variables: &Variables,
        warden: &Warden,
        events: UnboundedSender<Record>,
    ) -> Result<Self, LabError> {
        let (mut this, mut programs) = Self::build(lab, run, variables, warden)?;
        this.prepare(&lab.prepare, variables).await?;
        for wave in this.waves.clone() {
            let mut starting = JoinSet::new();
            for name in wave {
                let (Some(member), Some(program)) = (this.members.get_mut(&name), programs.remove(&name))
                else {
                    continue;
                };
                starting.spawn(member.begin(program, events.clone()));
            }
            while let Some(started) = starting.join_next().await {
                if let Ok(started) = started {
                    started?;
                }
            }
        }
        Ok(this)
    }

    /// Where a load, a probe or an action is made: in a service, or at the bridge, where all services are in sight.
    ///
    /// # Errors
    /// There is no such service.
    pub fn namespaces(&self, service: Option<&str>) -> Result<Namespaces, LabError> {
        match service {
            None => Ok(self.hub.clone()),
            Some(name) => self.member(name).map(|member| member.home.namespaces.clone()),
        }
    }

    /// The cgroup of a service, the same over its restarts.
    ///
    /// # Errors
    /// There is no such service.
    pub fn cgroup(&self, service: &str) -> Result<PathBuf, LabError> {
        self.member(service).map(|member| member.home.cgroup.clone())
    }

    /// A service's address.
    ///
    /// # Errors
    /// There is no such service.
    pub fn address(&self, service: &str) -> Result<IpAddr, LabError> {
        self.member(service).map(|member| member.home.address)
    }

    /// The addresses of all other services.
    ///
    /// # Errors
    /// There is no such service.
    pub fn peers(&self, service: &str) -> Result<BTreeMap<String, IpAddr>, LabError> {
        self.member(service)?;
        let others = self.members.iter().filter(|(name, _)| *name != service);
        Ok(others.map(|(name, member)| (name.clone(), member.home.address)).collect())
    }

    /// The names of all services.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// What a service has said: a file that it adds to.
    ///
    /// # Errors
    /// There is no such service.
    pub fn log(&self, service: &str) -> Result<&Path, LabError> {
        self.member(service).map(|member| member.home.log.as_path())
    }

    /// The numbers of a service's processes.
    ///
    /// # Errors
    /// There is no such service.
    pub fn pids(&self, service: &str) -> Result<BTreeSet<u32>, LabError> {
        self.member(service).map(|member| members::pids(&member.home.cgroup))
    }

    /// Services that have ended and are not started again, and how they ended.
    pub fn died(&self) -> BTreeMap<String, String> {
        let over = |(name, member): (&String, &Member)| match &*member.running.as_ref()?.state.borrow() {
            State::Over(how) => Some((name.clone(), how.clone())),
            _ => None,
        };
        self.members.iter().filter_map(over).collect()
    }

    /// Stops a service and starts it again; returns when it has been started, which is before it is ready.
    ///
    /// # Errors
    /// There is no such service, or it cannot be stopped or started.
    pub async fn restart(&self, service: &str) -> Result<(), LabError> {
        let member = self.member(service)?;
        member.ask(Ask::Restart).await.map_err(|why| member.failed(service, why))
    }

    /// Stops all services, the last ones first, and removes their cgroups; gives what could not be taken away.
    pub async fn stop(mut self) -> Vec<String> {
        let mut left = Vec::new();
        for wave in std::mem::take(&mut self.waves).iter().rev() {
            let mut stopping = JoinSet::new();
            for name in wave {
                if let Some(running) = self.members.get_mut(name).and_then(|member| member.running.take()) {
                    stopping.spawn(async move {
                        let stopped = running.ask(Ask::Stop).await;
                        running.task.abort();
                        stopped
                    });
                }
            }
            while let Some(stopped) = stopping.join_next().await {
                left.extend(stopped.unwrap_or(Ok(())).err());
            }
        }
        left.extend(self.cgroups.remove());
        left
    }

    fn member(&self, service: &str) -> Result<&Member, LabError> {
        self.members.get(service).ok_or_else(|| LabError::Unknown(service.into()))
    }
}

impl Drop for Lab {
    /// The cgroups' end, which comes next, kills the services.
    fn drop(&mut self) {
        for running in self.members.values().filter_map(|member| member.running.as_ref()) {
            running.task.abort();
        }
    }
}

impl Member {
    /// Starts it; the future waits until it is ready.
    fn begin(
        &mut self,
        program: Program,
        events: UnboundedSender<Record>,
    ) -> impl Future<Output = Result<(), LabError>> + Send + use<> {
        let (name, log) = (program.name.clone(), self.home.log.clone());
        let within = program.readiness.as_ref().map(|readiness| readiness.within);
        let (asking, state, task) = look_after(program, events);
        let mut seen = state.clone();
        self.running = Some(Running { asking, state, task });
        async move {
            let settled =
                seen.wait_for(|state| matches!(state, State::Ready | State::Late(_) | State::Over(_)));
            match within {
                // Also if it ends and is started again and again, which makes it begin anew each time.
                Some(within) => drop(timeout(within + GRACE, settled).await),
                None => drop(settled.await),
            }
            let late = |why: &str| {
                let within = humantime::format_duration(within.unwrap_or_default());
                format!("is not ready after {within}{why}")
            };
            let why = match seen.borrow().clone() {
                State::Ready => return Ok(()),
                State::Over(how) if within.is_some() && is_end(&how) => format!("{how} before it was ready"),
                State::Over(how) => how,
                State::Late(why) => late(&format!(": {why}")),
                State::Between(how) => late(&format!(", it {how}")),
                State::Starting => late(""),
            };
            Err(LabError::Service { service: name, why, output: logs::last_lines(&log, LAST_LINES), log })
        }
    }

    async fn ask(&self, ask: impl FnOnce(oneshot::Sender<Result<(), String>>) -> Ask) -> Result<(), String> {
        match &self.running {
            Some(running) => running.ask(ask).await,
            None => Err("was never started".into()),
        }
    }

    fn failed(&self, service: &str, why: String) -> LabError {
        let log = self.home.log.clone();
        LabError::Service { service: service.into(), why, output: logs::last_lines(&log, LAST_LINES), log }
    }
}

impl Running {
    async fn ask(&self, ask: impl FnOnce(oneshot::Sender<Result<(), String>>) -> Ask) -> Result<(), String> {
        let (reply, answer) = oneshot::channel();
        let _ = self.asking.send(ask(reply));
        // Nobody looks after it any more: it was stopped.
        answer.await.unwrap_or(Ok(()))
    }
}

/// Whether these words are of a program that ran.
fn is_end(how: &str) -> bool {
    how.starts_with("exited") || how.starts_with("killed")
}
