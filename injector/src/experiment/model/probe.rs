//! What is looked at all the while. A probe that cannot be made is a failed sample with its reason.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use regex::bytes::Regex;

use crate::experiment::model::{CommandLine, Expect, HttpRequest, Located, Template};

/// A probe.
#[derive(Clone, Debug)]
pub struct Probe {
    /// What is asked.
    pub kind: ProbeKind,
    /// From one due moment to the next. 1 s.
    pub every: Duration,
    /// A sample fails when it takes longer. 1 s; of `lost`, 30 s.
    pub timeout: Duration,
    /// The service in whose network namespace it is made; in the lab's own if there is none.
    pub inside: Option<String>,
    /// What makes a sample good.
    pub expect: Expect,
    /// What its number is; without it a sample of this kind has none, or its natural one.
    pub value: Option<ValueOf>,
    /// What the number counts: `messages`. A condition may name it.
    pub unit: Option<String>,
}

impl Probe {
    /// Whether its samples have numbers, which statistics are then of; else they are of times.
    pub const fn has_numbers(&self) -> bool {
        self.value.is_some()
            || matches!(
                self.kind,
                ProbeKind::Prometheus { .. }
                    | ProbeKind::Metrics(_)
                    | ProbeKind::Counter { .. }
                    | ProbeKind::Cgroup { .. }
                    | ProbeKind::Lost { .. }
            )
    }
}

/// What a probe asks.
#[derive(Clone, Debug)]
pub enum ProbeKind {
    /// A request.
    Http(HttpRequest),
    /// A connection to `HOST:PORT`.
    Tcp(Template),
    /// An address of this name, of the resolver or of `server`.
    Dns {
        /// The name.
        name: Template,
        /// `ADDRESS[:PORT]`; else the first one of the namespace's resolv.conf.
        server: Option<Template>,
    },
    /// A command.
    Command(CommandLine),
    /// An instant query, whose single number is the value.
    Prometheus {
        /// Of the server: `http://HOST:9090`.
        url: Template,
        /// In `PromQL`.
        query: Template,
    },
    /// A number on a page of Prometheus' text format.
    Metrics(Metric),
    /// Lines of a service's output or of a file; each that matches is a good sample.
    Log {
        /// A service's name, or the path of a file.
        of: Located<String>,
        /// What a line must have.
        matches: Regex,
    },
    /// The content of a file.
    File(Template),
    /// A counter of a fault's rules: `disk-gone.fired`.
    Counter {
        /// The fault.
        fault: Located<String>,
        /// `matched`, `fired` or `suppressed`.
        counter: crate::engine::Counter,
    },
    /// A file of a target's cgroup.
    Cgroup {
        /// A target.
        of: Located<String>,
        /// `memory.current`.
        file: PathBuf,
        /// Its line, where the file has several: `oom_kill` of `memory.events`.
        key: Option<String>,
    },
    /// How many numbers of acknowledged operations of a load a command does not print. Made once, when the `after` phase
    /// begins.
    Lost {
        /// Which load.
        load: Located<String>,
        /// Prints the numbers that are there, one a line.
        read: CommandLine,
    },
}

/// A metric by name and labels.
#[derive(Clone, Debug)]
pub struct Metric {
    /// The page.
    pub url: Template,
    /// The metric.
    pub name: String,
    /// All of these; those that are left out may be anything, and all that fit are added up.
    pub labels: BTreeMap<String, String>,
}

/// How a number is made of what a probe gets.
#[derive(Clone, Debug)]
pub enum ValueOf {
    /// The text itself.
    Number,
    /// The increase per second from the sample before.
    Rate,
    /// What is there in a JSON text.
    Json(serde_json_path::JsonPath),
    /// The group `value` of it, or the first one.
    Regex(Regex),
}
