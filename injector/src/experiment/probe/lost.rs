//! What was acknowledged and is not there: the numbers of good operations that a command does not print.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use crate::{
    clock,
    experiment::{
        answer::judge,
        command,
        failure::Failure,
        model::{CommandLine, Expect, Probe, ProbeKind},
        namespaces::{Namespaces, Place},
        sample::{Outcome, Sample},
        source::{SourceError, Turn},
        variables::Variables,
    },
};

/// Makes the one look of a probe of kind `lost`, now. `acknowledged` are the numbers of the good operations of its load.
/// The sample's number is how many of them are missing.
///
/// # Errors
/// [`SourceError`]: it could not be made. That the command fails is a bad sample.
pub async fn lost(
    probe: &Probe,
    namespaces: &Namespaces,
    variables: &Variables,
    acknowledged: Arc<BTreeSet<u64>>,
) -> Result<Sample, SourceError> {
    let place = namespaces.enter()?;
    let turn = Turn { number: 0, due: clock::now() };
    let missing = async {
        let ProbeKind::Lost { read, .. } = &probe.kind else { return Err(Failure::Absent("load")) };
        let printed = printed(&place, read, variables, &probe.expect, turn).await?;
        Ok(missing(&printed, &acknowledged))
    };
    let outcome = match tokio::time::timeout(probe.timeout, missing).await.unwrap_or(Err(Failure::Timeout)) {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
        Ok(count) => Outcome::Good(Some(count as f64)),
        Err(failure) => Outcome::Bad(failure.to_string()),
    };
    Ok(Sample { number: turn.number, due: turn.due, start: turn.due, end: clock::now(), outcome })
}

async fn printed(
    place: &Place,
    read: &CommandLine,
    variables: &Variables,
    expect: &Expect,
    turn: Turn,
) -> Result<Vec<u8>, Failure> {
    let words = command::words(read, |name| variables.value(name))?;
    let answer = command::run(place, &words).await?;
    judge(expect, &answer, turn.latency())?;
    Ok(answer.text)
}

/// How many of `acknowledged` are on no line of their own. Lines that are no number say nothing.
pub(super) fn missing(printed: &[u8], acknowledged: &BTreeSet<u64>) -> usize {
    let number = |line: &[u8]| str::from_utf8(line).ok()?.trim().parse::<u64>().ok();
    let there: HashSet<u64> = printed.split(|&byte| byte == b'\n').filter_map(number).collect();
    acknowledged.iter().filter(|number| !there.contains(number)).count()
}
