//! Rules without text: what a rule says, word by word, as calls of typed functions. A rule that is built is read from the
//! text that it makes, so it means the same as that text, and is refused for the same reasons.
//!
//! ```
//! use std::time::Duration;
//!
//! use injector::spec::{errno::Errno, model::Rule, signal::Signal};
//!
//! let rule = Rule::call("fsync,fdatasync").errno(Errno::EIO).probability(0.1).times(3).build()?;
//! assert_eq!(rule.to_string(), "inject=fsync,fdatasync:error=EIO:prob=10%:times=3");
//!
//! let rule = Rule::operation("write").errno(Errno::ENOSPC).path("/var/lib/redis/**").build()?;
//! assert_eq!(rule, "io=write:error=ENOSPC:path=/var/lib/redis/**".parse()?);
//!
//! let rule = Rule::packets().tcp().port(5432).delay(Duration::from_millis(100)).loss(0.01).build()?;
//! assert_eq!(rule.to_string(), "net=egress tcp port 5432 : delay 100ms loss 1%");
//!
//! let rule = Rule::pause().lasting(Duration::from_secs(2)).build()?;
//! assert_eq!(rule.to_string(), "process=pause:for=2s");
//!
//! let rule = Rule::kill(Signal::TERM).every(Duration::from_secs(60)).probability(0.5).build()?;
//! assert_eq!(rule.to_string(), "process=kill SIGTERM:every=60s:prob=50%");
//! # Ok::<(), injector::spec::SpecError>(())
//! ```

mod calls;
mod packets;
mod processes;
mod read;

use std::{fmt, marker::PhantomData};

pub use self::packets::PacketRuleBuilder;
use self::read::{percent, read};
use crate::spec::{
    SpecError,
    model::{Rule, When},
    signal::Signal,
    word::Word,
};

/// A rule of layer `L` that is being built. Each function adds a word; one that is added twice is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct RuleBuilder<L> {
    qualifier: &'static str,
    words: Vec<String>,
    layer: PhantomData<L>,
}

/// The layer of system calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {}

/// The layer of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operations {}

/// The layer of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processes {}

/// A layer whose rules choose files and sockets.
pub trait OnObjects {}

impl OnObjects for Calls {}
impl OnObjects for Operations {}

impl Rule {
    /// A rule on system calls, named as `inject=` has them: `fsync`, `read,write`, `%file`.
    pub fn call(set: &str) -> RuleBuilder<Calls> {
        RuleBuilder::new("inject", set)
    }

    /// A rule on operations, named as `io=` has them: `write`, `open,rename`.
    pub fn operation(names: &str) -> RuleBuilder<Operations> {
        RuleBuilder::new("io", names)
    }

    /// A rule on packets: those that leave the target, if nothing else is said.
    pub fn packets() -> PacketRuleBuilder {
        PacketRuleBuilder::default()
    }

    /// A rule by which all processes of a target stand still.
    pub fn pause() -> RuleBuilder<Processes> {
        RuleBuilder::new("process", "pause")
    }

    /// A rule by which processes get a signal.
    pub fn kill(signal: Signal) -> RuleBuilder<Processes> {
        RuleBuilder::new("process", &format!("kill {signal}"))
    }
}

impl<L> RuleBuilder<L> {
    fn new(qualifier: &'static str, first: &str) -> Self {
        Self { qualifier, words: vec![first.to_owned()], layer: PhantomData }
    }

    /// Adds `name=value`.
    fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.words.push(format!("{name}={value}"));
        self
    }

    /// By threads, or on processes, of this name, or whose name begins so if there is a `*` behind it.
    pub fn comm(self, comm: &str) -> Self {
        self.with("comm", comm)
    }

    /// Only these of the matches.
    pub fn when(self, when: When) -> Self {
        self.with("when", when)
    }

    /// Only by chance: with a probability above 0, and 1 at most.
    pub fn probability(self, probability: f64) -> Self {
        self.with("prob", percent(probability))
    }

    /// At most so often in all, from 1 on.
    pub fn times(self, times: u64) -> Self {
        self.with("times", times)
    }

    /// The rule.
    ///
    /// # Errors
    /// What the grammar refuses: an unknown name, a value out of range, words that exclude each other, a rule that says
    /// nothing of what is to happen.
    pub fn build(&self) -> Result<Rule, SpecError> {
        let separates = |word: &&String| Word::whole(word).guarded_pieces().count() > 1;
        read(&self.to_string(), self.words.iter().find(separates))
    }
}

impl<L> fmt::Display for RuleBuilder<L> {
    /// The text from which it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.qualifier, self.words.join(":"))
    }
}

impl When {
    /// The match of this number alone, from 1.
    pub const fn nth(number: u32) -> Self {
        Self { first: number, last: Some(number), step: 1 }
    }

    /// All matches from this number on.
    pub const fn starting(number: u32) -> Self {
        Self { first: number, last: None, step: 1 }
    }

    /// Each `step`-th match: of 10, the tenth, the twentieth and so on.
    pub const fn every(step: u32) -> Self {
        Self { first: step, last: None, step }
    }
}
