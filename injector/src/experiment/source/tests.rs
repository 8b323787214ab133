//! The open loop against operations of known length, and the ledger.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;

use super::*;
use crate::{
    clock,
    experiment::{
        failure::Failure,
        sample::{Outcome, Sample},
        testing::{all, outlet, stop_after},
    },
};

const MILLISECOND: u64 = 1_000_000;

fn limits(timeout: u64, at_once: usize) -> Limits {
    Limits { timeout: Duration::from_millis(timeout), at_once }
}

#[test]
fn due_times_do_not_drift() {
    let thirds = Schedule::per_second(1_000, 3.0);
    assert_eq!(
        [0, 1, 2, 3, 3_000_000].map(|number| thirds.due(number)),
        [1_000, 333_334_333, 666_667_666, 1_000_001_000, 1_000_000_000_001_000]
    );
    let tenths = Schedule::every(5, Duration::from_millis(100));
    assert_eq!(tenths.due(7), 700_000_005);
    for rate in [0.0, -1.0, f64::NAN] {
        assert_eq!(Schedule::per_second(0, rate).due(1), u64::MAX);
    }
}

#[tokio::test]
async fn operations_begin_when_they_are_due_and_none_is_left_out() {
    let (outlet, received) = outlet();
    let start = clock::now();
    let schedule = Schedule::per_second(start, 100.0);
    let slow = |_: Turn| async {
        sleep(Duration::from_millis(250)).await;
        Ok(Some(1.0))
    };
    let made = generate(schedule, limits(5_000, 100), stop_after(500), &outlet, slow).await.unwrap();
    drop(outlet);
    let samples = all(received);
    assert_eq!(samples.len() as u64, made);
    assert!(made >= 45, "{made}");
    for (number, sample) in samples.iter().enumerate() {
        assert_eq!((sample.number, sample.due), (number as u64, schedule.due(number as u64)));
        assert!(sample.due <= sample.start && sample.start <= sample.end);
        assert!(sample.latency() >= 249 * MILLISECOND, "{sample:?}");
        assert_eq!(sample.outcome, Outcome::Good(Some(1.0)));
    }
}

#[tokio::test]
async fn a_stall_of_the_generator_leaves_no_operation_out() {
    let (outlet, received) = outlet();
    // As if it had slept for a second.
    let start = clock::now() - 1_000 * MILLISECOND;
    let at_once = |_: Turn| async { Ok(None) };
    generate(Schedule::per_second(start, 100.0), limits(300, 10), stop_after(50), &outlet, at_once)
        .await
        .unwrap();
    let samples = all(received);
    assert!(samples.len() >= 100, "{}", samples.len());
    // The first ones waited for longer than an operation may take, and still are good: that was the generator.
    let first = &samples[0];
    assert!(first.is_good() && first.latency() >= 1_000 * MILLISECOND, "{first:?}");
    assert!(first.start >= first.due + 1_000 * MILLISECOND);
}

/// Counts down also when it is given up.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn no_more_run_at_once_and_those_that_wait_are_timed() {
    let (outlet, received) = outlet();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let operation = |_: Turn| {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let _running = Running(running);
            sleep(Duration::from_millis(100)).await;
            Ok(None)
        }
    };
    let schedule = Schedule::per_second(clock::now(), 100.0);
    generate(schedule, limits(350, 3), stop_after(600), &outlet, operation).await.unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 3);
    let samples = all(received);
    // 30 a second can be served, and those that are let in have their whole timeout for themselves.
    let crowded = |sample: &&Sample| sample.outcome == Outcome::Bad(Failure::Crowded.to_string());
    let (crowded, served): (Vec<_>, Vec<_>) = samples.iter().partition(crowded);
    assert!(served.len() >= 12 && crowded.len() >= 20, "{samples:?}");
    for sample in served {
        assert!(sample.is_good() || sample.latency() >= 350 * MILLISECOND, "{sample:?}");
    }
    assert!(crowded.iter().all(|sample| sample.latency() >= 350 * MILLISECOND));
    // It was not the runner that was late.
    let in_time = crowded.iter().filter(|sample| sample.start - sample.due < 100 * MILLISECOND);
    assert!(in_time.count() * 2 > crowded.len(), "{samples:?}");
}

#[tokio::test]
async fn the_watermark_waits_for_the_oldest_operation() {
    let (outlet, mut received) = outlet();
    let watermark = outlet.watermark();
    assert_eq!(watermark.passed(), 0);
    let start = clock::now();
    let schedule = Schedule::per_second(start, 100.0);
    let operation = |turn: Turn| async move {
        // The third one hangs.
        sleep(Duration::from_millis(if turn.number == 2 { 10_000 } else { 1 })).await;
        Ok(None)
    };
    let stop = stop_after(700);
    let source =
        tokio::spawn(async move { generate(schedule, limits(400, 100), stop, &outlet, operation).await });
    let mut got = Vec::new();
    while !source.is_finished() {
        let passed = watermark.passed();
        assert!(passed <= clock::now());
        while let Ok((_, sample)) = received.try_recv() {
            got.push(sample.due);
        }
        let due_before = (0..).map(|number| schedule.due(number)).take_while(|&due| due < passed);
        for due in due_before {
            assert!(got.contains(&due), "{due} is not there at {passed}");
        }
        let hangs = clock::now() < start + 400 * MILLISECOND;
        assert!(!hangs || passed <= schedule.due(2), "{passed}");
        sleep(Duration::from_millis(5)).await;
    }
    assert!(got.len() >= 40);
    let before = clock::now();
    assert!(watermark.passed() >= before, "a source that has ended is no hindrance");
}

#[tokio::test]
async fn the_last_ones_are_waited_for() {
    let (outlet, received) = outlet();
    let never = |_: Turn| std::future::pending();
    let start = clock::now();
    let schedule = Schedule::per_second(start, 50.0);
    let made = generate(schedule, limits(200, 100), stop_after(100), &outlet, never).await.unwrap();
    assert!(clock::now() >= start + 200 * MILLISECOND);
    let samples = all(received);
    assert_eq!(samples.len() as u64, made);
    assert!(samples.iter().all(|sample| sample.outcome == Outcome::Bad("timeout".to_owned())), "{samples:?}");
}

#[tokio::test]
async fn a_source_that_is_told_to_stop_before_it_begins_makes_nothing() {
    let (outlet, received) = outlet();
    let schedule = Schedule::per_second(clock::now() + 60_000 * MILLISECOND, 50.0);
    let operation = |_: Turn| async { Ok(None) };
    assert_eq!(generate(schedule, limits(200, 1), stop_after(10), &outlet, operation).await.unwrap(), 0);
    assert!(all(received).is_empty());
}

#[tokio::test]
async fn a_timer_waits_for_the_moment_each_time_anew() {
    let timer = Timer::new().unwrap();
    for _ in 0..3 {
        let at = clock::now() + 20 * MILLISECOND;
        // Dropped before it is over, it is no hindrance to the next one.
        _ = tokio::time::timeout(Duration::from_millis(1), timer.until(at + 1)).await;
        timer.until(at).await.unwrap();
        assert!(clock::now() >= at);
    }
    timer.until(5).await.unwrap();
}

#[test]
fn a_ledger_has_a_line_for_each_sample() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::create(folder.path(), "writes").unwrap();
    for (number, outcome) in [
        (1, Outcome::Good(None)),
        (0, Outcome::Bad("status 503".into())),
        (2, Outcome::Bad("`a,\"b` has no value here".into())),
        (3, Outcome::Good(Some(5.0))),
    ] {
        let sample =
            Sample { number, due: number * 10, start: number * 10 + 1, end: number * 10 + 5, outcome };
        ledger.write(&sample).unwrap();
    }
    let text = std::fs::read_to_string(folder.path().join("ledger-writes.csv")).unwrap();
    assert_eq!(
        text,
        "n,due,start,end,outcome\n1,10,11,15,ok\n0,0,1,5,status 503\n2,20,21,25,\"`a,\"\"b` has no value here\"\n\
         3,30,31,35,ok\n"
    );
    assert_eq!(ledger.acknowledged().iter().copied().collect::<Vec<_>>(), [1, 3]);
}
