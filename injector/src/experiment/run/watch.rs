//! Who ends a run before its end: conditions of `abort`, and the deadline.

use std::{sync::Arc, time::Duration};

use crate::{
    clock,
    experiment::{
        judge::{Judge, Truth},
        run::context::Context,
    },
};

/// How often conditions are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Looks after a run until its future is dropped.
pub(super) async fn watch(context: Arc<Context>) {
    let conditions = &context.experiment.abort;
    // For each: up to when it was looked at, and since when it has been so.
    let mut seen: Vec<(u64, Option<u64>)> = vec![(0, None); conditions.len()];
    let mut synced = clock::now();
    loop {
        tokio::time::sleep(LOOK).await;
        let now = clock::now();
        if now >= context.deadline {
            let deadline = humantime::format_duration(context.experiment.deadline);
            context.abort.now(format!("the deadline of {deadline} is over"), true);
            return;
        }
        if now.saturating_sub(synced) > 1_000_000_000 {
            context.recorder.sync();
            synced = now;
        }
        for (condition, (looked, since)) in conditions.iter().zip(&mut seen) {
            let judged = context.recorder.ask(|account| {
                let evidence = account.evidence();
                let until = evidence.known_until(&condition.source).filter(|until| *until > *looked)?;
                let judge = Judge { evidence, confidence: None };
                Some((until, judge.last(condition, until)))
            });
            let Some((until, judgement)) = judged else { continue };
            *looked = until;
            match judgement.truth {
                Truth::True => {
                    let since = *since.get_or_insert(judgement.begin);
                    let lasting = condition.lasting.map_or(0, clock::nanoseconds);
                    if until.saturating_sub(since) >= lasting {
                        context.abort.now(format!("`{}`", condition.value), true);
                        return;
                    }
                }
                Truth::False => *since = None,
                // A second without a sample says nothing.
                Truth::Unknown => (),
            }
        }
    }
}
