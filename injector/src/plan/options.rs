//! What a plan is as a whole, whatever its rules are.

use std::{net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{plan::PlanName, resolver::Table, spec::model::Rule};

/// No call is delayed longer than this at a time, unless somebody asks for more.
pub const MAX_CALL_DELAY: Duration = Duration::from_secs(10);

/// What a user can say about a plan as a whole. Begin with the default, and change what is to be different:
///
/// ```
/// use std::time::Duration;
///
/// use injector::plan::Options;
///
/// let options = Options::default().seed(7).duration(Duration::from_secs(30));
/// assert_eq!((options.seed, options.monitor), (7, false));
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line by itself")]
pub struct Options {
    /// The seed of all draws; 0. The same rules, targets and seed meet the same events with the same faults.
    pub seed: u64,
    /// Tell of every fault; [`crate::engine::Guard::wait`] hands them out. Counters are kept anyhow. Without it faults
    /// are cheaper, those on packets above all. Off.
    pub records: bool,
    /// Count what would have fired, inject nothing. Off.
    pub monitor: bool,
    /// Allow what is dangerous (`--unsafe`). Off.
    pub allow_unsafe: bool,
    /// No packet waits for longer, and for an hour at most: a rule whose delay could be more is refused, and what would
    /// wait for longer behind others of a rate is lost. A minute.
    pub max_packet_delay: Duration,
    /// No call is delayed longer than this at a time. [`MAX_CALL_DELAY`].
    pub max_call_delay: Duration,
    /// How long the plan acts; `None`, the default, for as long as the injector lives.
    pub duration: Option<Duration>,
    /// A target cgroup is meant only until it is removed; else whatever has its path later is met as well. Off.
    pub once: bool,
    /// Load the programs whole, so that a change may bring any rule but those that ask what a call is about. They
    /// take longer to attach than programs with only what the rules at hand need. Off.
    pub whole: bool,
    /// The rules stay as they are: a change is refused, so that no right has to be kept for one
    /// ([`crate::engine::Guard::give_up_privileges`]). Off.
    pub fixed: bool,
    /// Rules that a change may bring later. The programs can do from the start what these need, and are attached where
    /// these are decided, so that the change costs no more than writing tables; it may then ask what a call is about. A
    /// plan that has a repertoire may begin without a rule, idle. Empty.
    pub repertoire: Vec<Rule>,
    /// Names of hosts that mean these addresses, whatever the system's resolver says. Empty.
    pub hosts: Table,
    /// What the plan is called, beside its number. Nothing.
    pub name: Option<PlanName>,
    /// The command that the plan is for, as `ps` shows it. Nothing.
    pub command: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            records: false,
            monitor: false,
            allow_unsafe: false,
            max_packet_delay: Duration::from_mins(1),
            max_call_delay: MAX_CALL_DELAY,
            duration: None,
            once: false,
            whole: false,
            fixed: false,
            repertoire: Vec::new(),
            hosts: Table::new(),
            name: None,
            command: None,
        }
    }
}

impl Options {
    /// With another seed of all draws.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Telling of every fault.
    #[must_use]
    pub fn records(self) -> Self {
        Self { records: true, ..self }
    }

    /// Counting what would have fired, injecting nothing.
    #[must_use]
    pub fn monitor(self) -> Self {
        Self { monitor: true, ..self }
    }

    /// Allowing what is dangerous.
    #[must_use]
    pub fn allow_unsafe(self) -> Self {
        Self { allow_unsafe: true, ..self }
    }

    /// With packets that wait for this time at the longest.
    #[must_use]
    pub fn max_packet_delay(self, time: Duration) -> Self {
        Self { max_packet_delay: time, ..self }
    }

    /// With calls that are delayed for this time at the longest.
    #[must_use]
    pub fn max_call_delay(self, time: Duration) -> Self {
        Self { max_call_delay: time, ..self }
    }

    /// Ending by itself after this time.
    #[must_use]
    pub fn duration(self, duration: Duration) -> Self {
        Self { duration: Some(duration), ..self }
    }

    /// Ending with its target cgroups.
    #[must_use]
    pub fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// Ready for a change to any rule but those that ask what a call is about.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { whole: true, ..self }
    }

    /// With rules that nobody changes.
    #[must_use]
    pub fn fixed(self) -> Self {
        Self { fixed: true, ..self }
    }

    /// Ready for a change to these rules.
    #[must_use]
    pub fn repertoire(self, rules: impl IntoIterator<Item = Rule>) -> Self {
        Self { repertoire: rules.into_iter().collect(), ..self }
    }

    /// Called by this name.
    #[must_use]
    pub fn name(self, name: PlanName) -> Self {
        Self { name: Some(name), ..self }
    }

    /// With a name that means these addresses in `to` and `from`.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.hosts.entry(name.into()).or_default().extend(addresses);
        self
    }
}
