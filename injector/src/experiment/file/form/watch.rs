//! Loads and probes, as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::experiment::file::form::{ExpectForm, HttpForm, Text, TextOr, TextOrList, Whole};

/// Operations at a fixed rate: one of `http`, `each`, `command`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Load")]
pub(in crate::experiment::file) struct LoadForm {
    /// A request: its URL, or a table; `${n}` is the operation's number
    pub(in crate::experiment::file) http: Option<TextOr<HttpForm>>,
    /// A command for each operation; `${n}` is its number
    pub(in crate::experiment::file) each: Option<TextOrList>,
    /// One command that runs all the while and prints a line for each operation; `figures` says how
    pub(in crate::experiment::file) command: Option<TextOrList>,
    /// How the lines of `command` are read: vegeta, k6, or a table
    pub(in crate::experiment::file) figures: Option<TextOr<FiguresForm>>,
    /// Operations per time, such as 20/s; 10/s if not given
    pub(in crate::experiment::file) rate: Option<Text>,
    /// An operation fails when it takes longer; 5s if not given
    pub(in crate::experiment::file) timeout: Option<Text>,
    /// More operations do not run at once; 100 if not given
    pub(in crate::experiment::file) at_once: Option<Whole>,
    /// The service in whose network namespace it is made
    pub(in crate::experiment::file) r#in: Option<Text>,
    /// What makes an operation good
    pub(in crate::experiment::file) expect: Option<ExpectForm>,
    /// The share of good operations that is promised, such as 99.5%: `burn` is counted from it
    pub(in crate::experiment::file) slo: Option<Text>,
}

/// Lines of another form.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Figures")]
pub(in crate::experiment::file) struct FiguresForm {
    /// A regular expression with groups named `latency`, and if there are such, `time` and `ok`
    pub(in crate::experiment::file) lines: Text,
}

/// Something that is looked at: one of `http` to `lost`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Probe")]
pub(in crate::experiment::file) struct ProbeForm {
    /// A request: its URL, or a table
    pub(in crate::experiment::file) http: Option<TextOr<HttpForm>>,
    /// A connection to HOST:PORT
    pub(in crate::experiment::file) tcp: Option<Text>,
    /// An address of this name; or a table
    pub(in crate::experiment::file) dns: Option<TextOr<DnsForm>>,
    /// A command: a text for `sh -c`, or a list of words
    pub(in crate::experiment::file) command: Option<TextOrList>,
    /// A query of a Prometheus server
    pub(in crate::experiment::file) prometheus: Option<PrometheusForm>,
    /// A number on a page in Prometheus' text format
    pub(in crate::experiment::file) metrics: Option<MetricsForm>,
    /// Lines of an output or a file; each that matches is a good sample
    pub(in crate::experiment::file) log: Option<LogForm>,
    /// The content of a file
    pub(in crate::experiment::file) file: Option<Text>,
    /// A counter of a fault: FAULT.matched, FAULT.fired or FAULT.suppressed
    pub(in crate::experiment::file) counter: Option<Text>,
    /// A file of a target's cgroup
    pub(in crate::experiment::file) cgroup: Option<CgroupForm>,
    /// How many acknowledged operations are not there any more, counted once when all is over
    pub(in crate::experiment::file) lost: Option<LostForm>,
    /// From one look to the next; 1s if not given
    pub(in crate::experiment::file) every: Option<Text>,
    /// A look fails when it takes longer; 1s if not given, 30s for `lost`
    pub(in crate::experiment::file) timeout: Option<Text>,
    /// The service in whose network namespace it is made
    pub(in crate::experiment::file) r#in: Option<Text>,
    /// What makes a sample good
    pub(in crate::experiment::file) expect: Option<ExpectForm>,
    /// What its number is: number, rate, json PATH, or regex RE
    pub(in crate::experiment::file) value: Option<Text>,
    /// What the number counts, such as messages
    pub(in crate::experiment::file) unit: Option<Text>,
}

/// A question to a name server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Dns")]
pub(in crate::experiment::file) struct DnsForm {
    /// The name
    pub(in crate::experiment::file) name: Text,
    /// ADDRESS[:PORT]; that of resolv.conf if not given
    pub(in crate::experiment::file) server: Option<Text>,
}

/// An instant query, whose single number is the value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Prometheus")]
pub(in crate::experiment::file) struct PrometheusForm {
    /// The server: `http://HOST:9090`
    pub(in crate::experiment::file) url: Text,
    /// In PromQL
    pub(in crate::experiment::file) query: Text,
}

/// A metric by name and labels.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Metrics")]
pub(in crate::experiment::file) struct MetricsForm {
    /// The page
    pub(in crate::experiment::file) url: Text,
    /// The metric
    pub(in crate::experiment::file) name: Text,
    /// Labels that it must have; all series that fit are added up
    #[serde(default)]
    pub(in crate::experiment::file) labels: BTreeMap<Text, Text>,
}

/// Lines that are watched.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Log")]
pub(in crate::experiment::file) struct LogForm {
    /// A service, or the path of a file
    pub(in crate::experiment::file) of: Text,
    /// A regular expression
    pub(in crate::experiment::file) matches: Text,
}

/// A file of a cgroup.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Cgroup")]
pub(in crate::experiment::file) struct CgroupForm {
    /// A target or a service
    pub(in crate::experiment::file) of: Text,
    /// Such as memory.current
    pub(in crate::experiment::file) file: Text,
    /// The line, where it has several, such as oom_kill
    pub(in crate::experiment::file) key: Option<Text>,
}

/// What is compared with what a load was told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Lost")]
pub(in crate::experiment::file) struct LostForm {
    /// The load
    pub(in crate::experiment::file) load: Text,
    /// A command that prints the numbers that are there, one a line
    pub(in crate::experiment::file) read: TextOrList,
}
