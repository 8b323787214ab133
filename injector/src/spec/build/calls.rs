//! The words of rules on system calls and on operations.

use std::{fmt, ops::RangeInclusive};

use ipnet::IpNet;

use crate::spec::{
    build::{Calls, OnObjects, Operations, RuleBuilder},
    delay::{self, Delay},
    effect::{CallResult, Moment},
    errno::Errno,
    filter::Relation,
    netem::Distribution,
    signal::Signal,
    trigger::Scope,
};

impl<L: OnObjects> RuleBuilder<L> {
    /// It fails with this error.
    pub fn errno(self, errno: Errno) -> Self {
        self.with("error", errno)
    }

    /// How the jitter of its delays spreads.
    pub fn distribution(mut self, distribution: &Distribution) -> Self {
        let word = Spread(distribution).to_string();
        self.words.extend(word.strip_prefix(':').map(str::to_owned));
        self
    }

    /// On files that this pattern means, such as `/var/lib/**/*.db`. Added again, on those of any of the patterns.
    pub fn path(self, pattern: &str) -> Self {
        self.with("path", pattern)
    }

    /// On sockets with a peer in this network.
    pub fn peer(self, peer: impl Into<IpNet>) -> Self {
        let peer: IpNet = peer.into();
        if peer.addr().is_ipv6() {
            self.with("peer", format_args!("[{peer}]"))
        } else {
            self.with("peer", peer)
        }
    }

    /// On sockets with one of these ports, their own or the peer's.
    pub fn ports(self, ports: RangeInclusive<u16>) -> Self {
        self.with("port", format_args!("{}-{}", ports.start(), ports.end()))
    }

    /// Whose matches are counted together.
    pub fn scope(self, scope: Scope) -> Self {
        self.with("scope", scope.word())
    }
}

impl RuleBuilder<Calls> {
    /// The call fails with one of these errors, drawn by their weights, 1 to 10000.
    pub fn errors(mut self, errors: impl IntoIterator<Item = (Errno, u32)>) -> Self {
        self.words.push(CallResult::Errors(errors.into_iter().collect()).to_string());
        self
    }

    /// The call returns this.
    pub fn returns(self, value: i64) -> Self {
        self.with("retval", value)
    }

    /// The thread gets a signal.
    pub fn signal(self, signal: Signal) -> Self {
        self.with("signal", signal)
    }

    /// The call waits before it runs.
    pub fn delay(self, delay: impl Into<Delay>) -> Self {
        self.with("delay_enter", delay.into())
    }

    /// The call waits when it has run.
    pub fn delay_exit(self, delay: impl Into<Delay>) -> Self {
        self.with("delay_exit", delay.into())
    }

    /// When the rule acts.
    pub fn at(mut self, moment: Moment) -> Self {
        self.words.extend(moment.to_string().strip_prefix(':').map(str::to_owned));
        self
    }

    /// Only calls with such an argument, by its name, `fd`, or `arg0` to `arg5`. The operand is a number, or the name of a
    /// constant; with [`Relation::Masked`] and [`Relation::NotMasked`] it is a mask and what is left, as in
    /// `O_ACCMODE=O_RDWR` and `O_ACCMODE!=O_RDWR`.
    pub fn argument(mut self, name: &str, relation: Relation, operand: impl fmt::Display) -> Self {
        let mut word = format!("{name}{}{operand}", relation.sign());
        // Without a value a mask would ask for something else.
        let value = match relation {
            Relation::Masked => "=",
            Relation::NotMasked => "!=",
            _ => "",
        };
        if !word.contains(value) {
            word += value;
        }
        self.words.push(word);
        self
    }
}

impl RuleBuilder<Operations> {
    /// It waits before it is done.
    pub fn delay(self, delay: impl Into<Delay>) -> Self {
        self.with("delay", delay.into())
    }
}

/// A distribution as a word of a rule; nothing for the uniform one.
struct Spread<'a>(&'a Distribution);

impl fmt::Display for Spread<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        delay::show(self.0, f)
    }
}
