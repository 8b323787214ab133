//! What rules want of calls, while it is found out where they can be caught, and what comes of that.

use std::collections::{BTreeMap, BTreeSet};

use injector_common::argument::ArgTest;

use crate::{
    plan::backend::{BackendKind, Site, Verdicts},
    syscalls::{Call, Entry},
};

/// What comes of that for all calls of all rules.
pub(super) struct Resolved {
    pub(super) sites: BTreeSet<Site>,
    /// By entry of the call table.
    pub(super) calls: BTreeMap<u32, Caught>,
    /// By rule.
    pub(super) calls_of_rule: Vec<usize>,
    pub(super) notes: Vec<String>,
}

/// A call that can be caught.
#[derive(Default)]
pub(super) struct Caught {
    /// At its entry.
    pub(super) before: Option<End>,
    /// When it has run.
    pub(super) behind: Option<End>,
    /// As in the call table.
    pub(super) hooks: [u16; 2],
    /// As in the call table.
    pub(super) mask: u32,
}

/// One end of a call that can be caught there.
pub(super) struct End {
    /// Who decides.
    pub(super) backend: BackendKind,
    /// The rules that are asked.
    pub(super) rules: Vec<Asked>,
}

impl Caught {
    /// Its ends that have rules.
    pub(super) fn ends(&self) -> impl Iterator<Item = &End> {
        self.before.iter().chain(&self.behind)
    }
}

/// A call with the rules that name it.
pub(super) struct Wanted {
    pub(super) entry: &'static Entry,
    pub(super) rules: Vec<Asked>,
    /// What its rules want it to return without running; none of them acts there if there is none.
    pub(super) before: Option<Verdicts>,
    /// The same when it has run.
    pub(super) behind: Option<Verdicts>,
}

/// A rule of a call.
#[derive(Clone)]
pub(super) struct Asked {
    /// Its place in the list.
    pub(super) rule: u32,
    /// When the call has run?
    pub(super) behind: bool,
    /// What it asks of the arguments of this call.
    pub(super) tests: Vec<ArgTest>,
    /// Which arguments are the descriptors of what it asks about, where the call is caught at its function.
    pub(super) descriptors: [u16; 2],
    /// The operation, for a rule on those; else 0.
    pub(super) operation: u32,
    /// What the hook's mask has to have for it, or 0.
    pub(super) mask: u32,
}

impl Asked {
    /// By the rule at this place, of anything.
    pub(super) fn by(rule: u32) -> Self {
        Self { rule, behind: false, tests: Vec::new(), descriptors: [0; 2], operation: 0, mask: 0 }
    }
}

/// The calls that rules name.
pub(super) type AllWanted = BTreeMap<Call, Wanted>;
