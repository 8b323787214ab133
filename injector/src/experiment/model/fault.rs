//! A fault of the method: rules in today's grammar, a cut, or what is done to processes, over time.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    experiment::model::{Located, Template},
    spec::{error::SpecError, model::Rule, signal::Signal},
};

/// A fault step.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What conditions, counters and the report call it.
    pub name: String,
    /// Names of targets or services; `${leader}` is filled in when the step begins.
    pub targets: Vec<Located<Template>>,
    /// What is injected, in this order.
    pub parts: Vec<Part>,
    /// How long it acts; to the end of the method if there is none.
    pub lasting: Option<Duration>,
    /// The next step does not wait for its end.
    pub background: bool,
    /// Numbers of its rules that change while it acts: `{name}` in a rule's text.
    pub vary: BTreeMap<String, Vary>,
    /// It comes and goes.
    pub pulse: Option<Pulse>,
}

/// One part of a fault.
#[derive(Clone, Debug)]
pub enum Part {
    /// A rule.
    Rule(Located<RuleTemplate>),
    /// No packet passes between the target and others.
    Cut(Cut),
    /// What is done to the target's processes.
    Process(Located<ProcessFault>),
}

/// A rule whose text may have `{name}` for what varies and `${name}` for what is captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleTemplate {
    /// `inject`, `io` or `net`: the key of the grammar, as in `inject=fsync:error=EIO`.
    pub grammar: &'static str,
    /// What stands behind it.
    pub text: Template,
}

impl RuleTemplate {
    /// The rule with these values in it.
    ///
    /// # Errors
    /// The text is no rule. A name without a value stays as it is, which no grammar takes.
    pub fn rule(
        &self,
        captured: impl Fn(&str) -> Option<String>,
        varied: &BTreeMap<String, String>,
    ) -> Result<Rule, SpecError> {
        let mut text = self.text.fill(captured).unwrap_or_else(|_| self.text.to_string());
        for (name, value) in varied {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        format!("{}={text}", self.grammar).parse()
    }

    /// Is a number of this rule that varies zero? No grammar has a rule that never acts: as long as it is so, there is no
    /// rule.
    pub fn is_idle(&self, varied: &BTreeMap<String, String>) -> bool {
        let text = self.text.to_string();
        let zero = |value: &str| {
            let rest = value.trim_start_matches(['0', '.']);
            rest.len() < value.len() && !rest.starts_with(|c: char| c.is_ascii_digit())
        };
        varied.iter().any(|(name, value)| zero(value) && text.contains(&format!("{{{name}}}")))
    }
}

/// A partition from named others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// From whom.
    pub from: Located<CutFrom>,
    /// Which packets.
    pub way: Way,
}

/// From whom a target is cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CutFrom {
    /// All other services of the lab.
    Peers,
    /// Everybody.
    All,
    /// Services, names of hosts or addresses.
    Named(Vec<Template>),
}

/// Which way packets go, as seen from the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// Both.
    #[default]
    Both,
    /// What it sends.
    Out,
    /// What it is sent.
    In,
}

/// What is done to the processes of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessFault {
    /// They stand still as long as the fault acts.
    Pause,
    /// They get a signal, once.
    Kill(Signal),
    /// A service of the lab is stopped and started again, once.
    Restart,
}

/// How a number changes while a fault acts.
#[derive(Clone, Debug, PartialEq)]
pub struct Vary {
    /// The number at the beginning, with its unit: `0%`, `20ms`.
    pub from: Located<String>,
    /// The number at the end, in the same unit.
    pub to: Located<String>,
    /// How long it takes; as long as the fault if there is none.
    pub over: Option<Duration>,
    /// In so many steps. 20.
    pub steps: u32,
    /// How it gets there.
    pub curve: Curve,
}

/// How a number goes from one end to the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Curve {
    /// By equal differences.
    #[default]
    Linear,
    /// By equal ratios; neither end is zero.
    Log,
}

/// A fault that comes and goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// So long it acts.
    pub active: Duration,
    /// So long it does not.
    pub idle: Duration,
    /// Both are longer or shorter by this at most, drawn from the seed. 0.
    pub jitter: Duration,
}
