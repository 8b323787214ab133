//! What a plan keeps ready for rules that a change may bring ([`Options::repertoire`]): what its programs can do, memory
//! for it, and programs where such a rule is decided. The rule is then a matter of tables: nothing has to be attached.

use std::collections::BTreeSet;

use crate::{
    distribution::Files,
    plan::{
        Options, Plan, PlanError,
        backend::{Backend, Site},
    },
    spec::model::Rule,
};

/// What is kept ready.
#[derive(Clone, Debug, Default)]
pub(super) struct Reserve {
    /// Where programs stay, whatever the rules are.
    pub(super) sites: BTreeSet<Site>,
    /// What programs can do, as bits of [`injector_common::config::Config::features`].
    pub(super) features: u32,
    /// Slots of all those rules together.
    pub(super) slots: usize,
    /// Is there a rule on packets?
    pub(super) packets: bool,
    /// Is there one that makes calls wait?
    pub(super) delays: bool,
}

impl Reserve {
    /// What the rules of the repertoire need, each by itself. `live` are the sites where programs will be anyhow.
    ///
    /// # Errors
    /// The first rule that cannot be had here.
    pub(super) fn of(
        rules: &[Rule],
        files: &Files,
        options: &Options,
        live: &BTreeSet<Site>,
        backends: &[&dyn Backend],
    ) -> Result<Self, PlanError> {
        let mut all = Self::default();
        let mut live = live.clone();
        for rule in rules {
            let options = Options { repertoire: Vec::new(), ..options.clone() };
            let alone = Plan::beside(std::slice::from_ref(rule), files, options, 0, &live, backends)?;
            all.features |= alone.features;
            all.slots += alone.slots.len();
            all.packets |= alone.packets;
            all.delays |= alone.delays_calls();
            live.extend(alone.sites.iter().cloned());
            all.sites.extend(alone.sites);
        }
        Ok(all)
    }
}
