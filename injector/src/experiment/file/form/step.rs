//! The steps of the method, as they are written: all keys that any of them has, since what a step is depends on which are
//! there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::experiment::file::form::{Flag, HttpForm, Placed, Text, TextOr, TextOrList, Whole};

/// A step with its place.
pub(in crate::experiment::file) type StepForm = Placed<StepKeys>;

/// One step: exactly one of `fault`, `wait`, `until`, `check`, `set`, `run`, `http`, `parallel`, `sequence`, `repeat`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Step")]
pub(in crate::experiment::file) struct StepKeys {
    /// A fault, and what conditions and the report call it
    pub(in crate::experiment::file) fault: Option<Text>,
    /// Of a fault: whom it is aimed at, targets or services
    pub(in crate::experiment::file) target: Option<TextOrList>,
    /// Of a fault: rules on system calls, as for --syscall
    pub(in crate::experiment::file) syscall: Option<TextOrList>,
    /// Of a fault: rules on operations, as for --io
    pub(in crate::experiment::file) io: Option<TextOrList>,
    /// Of a fault: rules on packets, as for --net
    pub(in crate::experiment::file) net: Option<TextOrList>,
    /// Of a fault: no packet passes between the target and others
    pub(in crate::experiment::file) cut: Option<CutForm>,
    /// Of a fault: `pause`, `kill SIGNAL` or `restart`
    pub(in crate::experiment::file) process: Option<TextOrList>,
    /// Of a fault: how long it acts; to the end of the method if not given
    pub(in crate::experiment::file) r#for: Option<Text>,
    /// Of a fault: the next step does not wait for its end
    pub(in crate::experiment::file) background: Option<Flag>,
    /// Of a fault: numbers that change while it acts, `{NAME}` in its rules
    #[serde(default)]
    pub(in crate::experiment::file) vary: BTreeMap<Text, VaryForm>,
    /// Of a fault: it comes and goes
    pub(in crate::experiment::file) pulse: Option<PulseForm>,
    /// Nothing, for so long
    pub(in crate::experiment::file) wait: Option<Text>,
    /// Wait until this condition is true
    pub(in crate::experiment::file) until: Option<Text>,
    /// Of `until`: the method ends if it takes longer; 30s if not given
    pub(in crate::experiment::file) within: Option<Text>,
    /// Conditions that are judged now, as a part of the hypothesis
    pub(in crate::experiment::file) check: Option<Vec<Text>>,
    /// Names that get values, for `${NAME}` in later steps
    pub(in crate::experiment::file) set: Option<BTreeMap<Text, SetForm>>,
    /// A command that is to exit with 0
    pub(in crate::experiment::file) run: Option<TextOrList>,
    /// A request that is to be answered with a status below 400
    pub(in crate::experiment::file) http: Option<TextOr<HttpForm>>,
    /// Of `run` and `http`: the service in whose network namespace it is done
    pub(in crate::experiment::file) r#in: Option<Text>,
    /// Of `run` and `http`: it fails when it takes longer; 30s if not given
    pub(in crate::experiment::file) timeout: Option<Text>,
    /// Steps that begin together
    pub(in crate::experiment::file) parallel: Option<Vec<StepForm>>,
    /// Steps one after the other
    pub(in crate::experiment::file) sequence: Option<Vec<StepForm>>,
    /// The same steps again
    pub(in crate::experiment::file) repeat: Option<RepeatForm>,
    /// When it begins, from the start of its list; after the step before if not given
    pub(in crate::experiment::file) at: Option<Text>,
    /// What the report says of it
    pub(in crate::experiment::file) note: Option<Text>,
}

/// A partition.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Cut")]
pub(in crate::experiment::file) struct CutForm {
    /// `peers` (all other services), `all`, or a list of services, hosts or addresses
    pub(in crate::experiment::file) from: TextOrList,
    /// Which packets, as seen from the target: both (if not given), out or in
    pub(in crate::experiment::file) way: Option<Text>,
}

/// How a number changes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Vary")]
pub(in crate::experiment::file) struct VaryForm {
    /// The number at the beginning, with its unit, such as 0%
    pub(in crate::experiment::file) from: Text,
    /// The number at the end, in the same unit
    pub(in crate::experiment::file) to: Text,
    /// How long it takes; as long as the fault if not given
    pub(in crate::experiment::file) over: Option<Text>,
    /// In so many steps; 20 if not given
    pub(in crate::experiment::file) steps: Option<Whole>,
    /// linear (if not given) or log
    pub(in crate::experiment::file) curve: Option<Text>,
}

/// How a fault comes and goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Pulse")]
pub(in crate::experiment::file) struct PulseForm {
    /// So long it acts
    pub(in crate::experiment::file) active: Text,
    /// So long it does not
    pub(in crate::experiment::file) idle: Text,
    /// Both are longer or shorter by this at most, drawn from the seed
    pub(in crate::experiment::file) jitter: Option<Text>,
}

/// Where a value comes from: one of `command`, `probe`, `any-of`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Set")]
pub(in crate::experiment::file) struct SetForm {
    /// The output of a command
    pub(in crate::experiment::file) command: Option<TextOrList>,
    /// The last number of a probe
    pub(in crate::experiment::file) probe: Option<Text>,
    /// Some of these, drawn from the seed
    pub(in crate::experiment::file) any_of: Option<Vec<Text>>,
    /// Of `any-of`: how many; 1 if not given
    pub(in crate::experiment::file) count: Option<Whole>,
    /// Of `command`: a regular expression that its output must match; its first group is the value
    pub(in crate::experiment::file) matches: Option<Text>,
    /// Of `command`: a JSONPath; what is there is the value
    pub(in crate::experiment::file) json: Option<Text>,
    /// Of `command`: the service in whose network namespace it is run
    pub(in crate::experiment::file) r#in: Option<Text>,
    /// Of `command`: it fails when it takes longer; 30s if not given
    pub(in crate::experiment::file) timeout: Option<Text>,
}

/// The same steps again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Repeat")]
pub(in crate::experiment::file) struct RepeatForm {
    /// How often
    pub(in crate::experiment::file) times: Whole,
    /// From one start to the next; at once if not given
    pub(in crate::experiment::file) every: Option<Text>,
    /// In place of `every`: a cron expression, in UTC
    pub(in crate::experiment::file) cron: Option<Text>,
    /// What
    pub(in crate::experiment::file) steps: Vec<StepForm>,
}
