//! What a plan keeps ready for rules that a change may bring ([`crate::plan::Options::repertoire`]): what its programs can
//! do, memory for it, and programs where such a rule is decided. The rule is then a matter of tables: nothing has to be
//! attached.

use std::collections::BTreeSet;

use crate::plan::backend::Site;

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
