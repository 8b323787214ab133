//! Services that the run starts for itself, each in a cgroup and a network namespace of its own.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use ipnet::Ipv4Net;
use regex::bytes::Regex;

use crate::experiment::model::{Action, CommandLine, HttpRequest, Template};

/// What the run starts.
#[derive(Clone, Debug)]
pub struct Lab {
    /// How the services reach each other.
    pub network: Network,
    /// By name.
    pub services: BTreeMap<String, Service>,
    /// Done in this order before the first service starts.
    pub prepare: Vec<Action>,
}

/// The network of a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// A bridge that only the services are at, with addresses from here. 10.77.0.0/24.
    Private(Ipv4Net),
    /// That of the machine, which all share.
    Host,
}

/// One program of the lab.
#[derive(Clone, Debug)]
pub struct Service {
    /// What it is.
    pub command: CommandLine,
    /// Beside the environment of the runner.
    pub environment: BTreeMap<String, Template>,
    /// Who it runs as: a user's name.
    pub user: Option<String>,
    /// Written below its folder before it starts: path -> content.
    pub files: BTreeMap<PathBuf, Template>,
    /// Services that have to be ready first.
    pub after: Vec<String>,
    /// When it is ready; as soon as it runs if there is nothing to ask.
    pub ready: Option<Ready>,
    /// What happens when it ends.
    pub restart: Restart,
    /// How long after its end it is started again. 1 s.
    pub restart_after: Duration,
    /// How long after SIGTERM it is killed. 5 s.
    pub stop_within: Duration,
    /// Written into its cgroup.
    pub limits: Limits,
}

/// When a service is ready.
#[derive(Clone, Debug)]
pub struct Ready {
    /// What must succeed.
    pub check: ReadyCheck,
    /// After this at the latest. 30 s.
    pub within: Duration,
}

/// What tells that a service is ready.
#[derive(Clone, Debug)]
pub enum ReadyCheck {
    /// A port of its own (`6379`), or `HOST:PORT`, accepts a connection.
    Tcp(Template),
    /// An answer with a status below 400.
    Http(HttpRequest),
    /// A command that exits with 0.
    Command(CommandLine),
    /// A line of its output.
    Log(Regex),
}

/// Whether a service that ends is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// It is not.
    #[default]
    Never,
    /// Unless it exits with 0.
    OnFailure,
    /// However it ends.
    Always,
}

/// Limits of a service's cgroup; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// `memory.max`, bytes.
    pub memory: Option<u64>,
    /// `cpu.max`, processors: 0.5 is half of one.
    pub cpu: Option<f64>,
    /// `pids.max`.
    pub pids: Option<u64>,
}
