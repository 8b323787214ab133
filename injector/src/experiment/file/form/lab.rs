//! The lab and the targets, as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::experiment::file::form::{ActionForm, HttpForm, Placed, Text, TextOr, TextOrList, Whole};

/// What the run itself starts, in cgroups and network namespaces of their own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Lab")]
pub(in crate::experiment::file) struct LabForm {
    /// `host`, or the addresses of a network that only the services are at; 10.77.0.0/24 if not given
    pub(in crate::experiment::file) network: Option<Text>,
    /// Programs by name
    #[serde(default)]
    pub(in crate::experiment::file) services: BTreeMap<Text, ServiceForm>,
    /// What is done before the first service starts
    #[serde(default)]
    pub(in crate::experiment::file) prepare: Vec<Placed<ActionForm>>,
}

/// One program of the lab.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Service")]
pub(in crate::experiment::file) struct ServiceForm {
    /// The command: a text for `sh -c`, or a list of words
    pub(in crate::experiment::file) run: TextOrList,
    /// Environment beside that of injector
    #[serde(default)]
    pub(in crate::experiment::file) env: BTreeMap<Text, Text>,
    /// The user that it runs as
    pub(in crate::experiment::file) user: Option<Text>,
    /// Files in its folder `${dir}`, written before it starts: path and content
    #[serde(default)]
    pub(in crate::experiment::file) files: BTreeMap<Text, Text>,
    /// Services that have to be ready first
    #[serde(default)]
    pub(in crate::experiment::file) after: Vec<Text>,
    /// When it is ready; at once if not given
    pub(in crate::experiment::file) ready: Option<Placed<ReadyForm>>,
    /// What happens when it ends: never (if not given), on-failure or always; or a table
    pub(in crate::experiment::file) restart: Option<TextOr<RestartForm>>,
    /// How long after SIGTERM it is killed; 5s if not given
    pub(in crate::experiment::file) stop: Option<Text>,
    /// Limits of its cgroup
    pub(in crate::experiment::file) limits: Option<LimitsForm>,
}

/// When a service is ready: one of `tcp`, `http`, `command`, `log`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Ready")]
pub(in crate::experiment::file) struct ReadyForm {
    /// A port of its own (in quotes), or HOST:PORT, that accepts a connection
    pub(in crate::experiment::file) tcp: Option<Text>,
    /// A URL that is answered with a status below 400, or a table
    pub(in crate::experiment::file) http: Option<TextOr<HttpForm>>,
    /// A command that exits with 0
    pub(in crate::experiment::file) command: Option<TextOrList>,
    /// A regular expression that a line of its output matches
    pub(in crate::experiment::file) log: Option<Text>,
    /// After this time at the latest; 30s if not given
    pub(in crate::experiment::file) within: Option<Text>,
}

/// What happens when a service ends.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Restart")]
pub(in crate::experiment::file) struct RestartForm {
    /// never, on-failure or always
    pub(in crate::experiment::file) when: Text,
    /// How long after its end it is started again; 1s if not given
    pub(in crate::experiment::file) after: Option<Text>,
}

/// Limits of a service's cgroup.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Limits")]
pub(in crate::experiment::file) struct LimitsForm {
    /// Memory, such as 256M
    pub(in crate::experiment::file) memory: Option<Text>,
    /// Processor time, such as 50%; 200% is that of two processors
    pub(in crate::experiment::file) cpu: Option<Text>,
    /// How many processes and threads
    pub(in crate::experiment::file) pids: Option<Whole>,
}

/// Something that runs already: exactly one of these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Target")]
pub(in crate::experiment::file) struct TargetForm {
    /// A cgroup with all below it: a path, or a name
    pub(in crate::experiment::file) cgroup: Option<Text>,
    /// A process with all its descendants
    pub(in crate::experiment::file) pid: Option<Whole>,
    /// The same, its number in a file
    pub(in crate::experiment::file) pidfile: Option<Text>,
    /// A systemd unit
    pub(in crate::experiment::file) unit: Option<Text>,
    /// A container by name or id
    pub(in crate::experiment::file) container: Option<Text>,
    /// A process tree whose number this command prints
    pub(in crate::experiment::file) command: Option<Text>,
    /// Services of the lab together
    pub(in crate::experiment::file) services: Option<Vec<Text>>,
}
