//! The numbers that a fault takes while it varies, as the run will have them.

use std::{collections::BTreeMap, time::Duration};

use crate::experiment::{
    model::Fault,
    schedule::{AmountError, stages},
};

/// What stands in its rules, from step to step; one empty table if nothing varies. Which number changes when is not looked
/// at: those with fewer steps stay at their end.
pub(super) fn values(fault: &Fault) -> Result<Vec<BTreeMap<String, String>>, AmountError> {
    let of_each = fault.vary.iter().map(|(name, vary)| {
        let stages = stages(vary, fault.lasting.unwrap_or(Duration::from_secs(1)))?;
        Ok((name, stages.into_iter().map(|stage| stage.value.to_string()).collect::<Vec<_>>()))
    });
    let of_each: Vec<_> = of_each.collect::<Result<_, _>>()?;
    let most = of_each.iter().map(|(_, values)| values.len()).max().unwrap_or(1);
    let step = |step: usize| {
        let values = of_each.iter().filter_map(|(name, values)| {
            Some(((*name).clone(), values.get(step).or(values.last())?.clone()))
        });
        values.collect()
    };
    Ok((0..most).map(step).collect())
}
