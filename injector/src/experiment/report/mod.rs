//! What is said of a run: a pure function of the experiment and its journal, which the live run uses as well.

mod account;
mod conditions;
mod difference;
mod figures;
mod model;
mod recovery;
mod summary;
#[cfg(test)]
mod tests;
mod verdict;

pub use self::{
    account::Account,
    difference::{differences, first_different_injection},
    model::{
        ConditionReport, FaultReport, Figures, PhaseReport, RecoveryReport, Report, Role, SourceReport,
        StepReport, Told, Unit,
    },
    verdict::{Reason, Verdict},
};
use crate::experiment::{journal::Moment, model::Experiment};

/// The report of a run, from its journal.
pub fn of<'a>(experiment: &Experiment, journal: impl IntoIterator<Item = &'a Moment>) -> Report {
    let mut account = Account::new(experiment);
    for moment in journal {
        account.take(moment);
    }
    account.report(experiment)
}
