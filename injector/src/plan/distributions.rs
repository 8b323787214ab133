//! The distributions of delays that a plan's rules name, each once, under the number by which the kernel side
//! looks its table up. A change of the plan only adds to them: rules that go on keep theirs. Files are read before the
//! plan is made, by whoever asks for it: a live plan must not wait for one.

use injector_common::delay::{MAX_TABLES, Table, UNIFORM};

use crate::{
    distribution::{self, Files},
    plan::PlanError,
    spec::{
        model::{Rule, RuleKind},
        netem::Distribution,
        packet::NetFault,
    },
};

/// The distributions of delays that a plan's rules name, by number.
#[derive(Clone, Debug, Default)]
pub struct Distributions(Vec<(Distribution, Box<Table>)>);

impl Distributions {
    /// Makes the tables that `rules` need and that are not there yet; those of files are in `files`.
    pub(super) fn add(&mut self, rules: &[Rule], files: &Files) -> Result<(), PlanError> {
        for rule in rules {
            let Some(named) = named(rule) else { continue };
            if self.0.iter().any(|(known, _)| known == named) {
                continue;
            }
            let refused = |source| PlanError::Distribution { rule: rule.text.clone(), source };
            let Some(table) = distribution::table_of(named, files).map_err(refused)? else { continue };
            if self.0.len() == MAX_TABLES {
                return Err(PlanError::TooManyDistributions { rule: rule.text.clone() });
            }
            self.0.push((named.clone(), table));
        }
        Ok(())
    }

    /// The number of a distribution's table.
    pub(super) fn number(&self, named: &Distribution) -> u32 {
        let found = self.0.iter().zip(0..).find(|((known, _), _)| known == named);
        found.map_or(UNIFORM, |(_, number)| number)
    }

    /// All tables with their numbers.
    pub fn tables(&self) -> impl Iterator<Item = (u32, &Table)> {
        (0..).zip(self.0.iter().map(|(_, table)| &**table))
    }
}

/// Reads the files that `rules` name.
///
/// # Errors
/// The first that is no distribution.
pub fn read_files<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> Result<Files, PlanError> {
    let mut files = Files::new();
    for rule in rules {
        if let Some(Distribution::File(path)) = named(rule)
            && !files.contains_key(path)
        {
            let refused = |source| PlanError::Distribution { rule: rule.text.clone(), source };
            files.insert(path.clone(), distribution::read(path).map_err(refused)?);
        }
    }
    Ok(files)
}

fn named(rule: &Rule) -> Option<&Distribution> {
    match &rule.kind {
        RuleKind::Syscall(call) => Some(&call.effect.distribution),
        RuleKind::Operation(operation) => Some(&operation.distribution),
        RuleKind::UserSpace(_) => None,
        RuleKind::Net(net) => match &net.fault {
            NetFault::Netem(netem) => netem.delay.as_ref().map(|delay| &delay.distribution),
            _ => None,
        },
    }
}
