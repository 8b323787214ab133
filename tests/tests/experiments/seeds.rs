//! The same seed twice gives the same schedule and the same faults, by thread, flow and number; another seed gives others.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::runs::{Ended, Run};

/// The client reads and sends all the while, in an order that is always the same.
const EXPERIMENT: &str = r#"
injector: 1
title: Seeds
lab:
  services:
    sink: {run: "exec sleep 1000"}
    client:
      run: [python3, -u, client.py, "${address.sink}"]
      files:
        client.py: |
          import os, socket, sys, time
          zero = os.open("/dev/zero", os.O_RDONLY)
          talk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
          talk.bind(("", 4000))
          print("begun")
          while True:
              try: os.read(zero, 1)
              except OSError: pass
              try: talk.sendto(b"x", (sys.argv[1], 9))
              except OSError: pass
              time.sleep(0.01)
      ready: {log: "^begun", within: 60s}
hypothesis: {text: Seeds decide., during: [alive ok]}
probes: {alive: {file: /proc/uptime, every: 1s, timeout: 5s}}
method:
  - {set: {who: {any-of: [a, b, c, d, e, f, g, h, i, j, k, l], count: 3}}}
  - fault: failing
    target: client
    syscall: 'read:error=EIO:prob=30%'
    net: 'udp dport 9 : loss 30%'
    background: true
    for: 6s
  - repeat:
      times: 2
      steps:
        - fault: coming
          target: client
          net: 'udp dport 9 : delay {late}'
          pulse: {active: 700ms, idle: 500ms, jitter: 400ms}
          vary: {late: {from: 1ms, to: 9ms, steps: 3}}
          for: 3s
"#;

/// Two edges that are nearer to each other are at the same time; busy machines are late.
const NEAR: f64 = 0.3;

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_another() -> Result<()> {
    // Beside each other, on one machine: each has a lab of its own.
    let runs = ["1", "1", "2"].map(|seed| Run::start(EXPERIMENT, &["--seed", seed]));
    let ended = runs.into_iter().map(|run| run?.end(0)).collect::<Result<Vec<Ended>>>()?;
    let [first, same, other] = ended.as_slice() else { anyhow::bail!("three runs") };
    ensure!(first.report["seed"] == 1 && same.report["seed"] == 1 && other.report["seed"] == 2);
    let [schedule, equal, different] = [schedule(first)?, schedule(same)?, schedule(other)?];
    ensure!(schedule == equal, "{schedule:#?} {equal:#?}");
    ensure!(schedule != different, "{schedule:#?}");
    edges(first, same, other)?;
    faults(first, same, other)
}

/// All that is decided beforehand, without its times: steps, drawn values, rules, numbers that vary.
fn schedule(run: &Ended) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for record in &run.records {
        let words = match record["kind"].as_str().context("no kind")? {
            "step" => [&record["path"], &record["what"]],
            "set" => [&record["name"], &record["value"]],
            "acting" => [&record["path"], &record["rules"]],
            "changed" if record["to"].as_str().is_some_and(|to| to.contains('=')) => {
                [&record["path"], &record["to"]]
            }
            _ => continue,
        };
        all.push(format!("{} {} {}", record["kind"], words[0], words[1]));
    }
    ensure!(all.len() >= 4 + 2 * 3, "{all:#?}");
    Ok(all)
}

/// Pulses by path: seconds from the fault's beginning, and what they switch to.
fn pulses(run: &Ended) -> Result<BTreeMap<String, Vec<(f64, String)>>> {
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for fault in run.report["faults"].as_array().context("no faults")? {
        let begin = fault["begin"].as_f64().context("no beginning")?;
        for change in fault["changes"].as_array().context("no changes")? {
            let (at, to) = (change[0].as_f64().context("no time")?, change[1].as_str().unwrap_or_default());
            if !to.contains('=') {
                let path = fault["path"].as_str().unwrap_or_default().to_owned();
                all.entry(path).or_default().push((at - begin, to.to_owned()));
            }
        }
    }
    Ok(all)
}

fn edges(first: &Ended, same: &Ended, other: &Ended) -> Result<()> {
    let [first, same, other] = [pulses(first)?, pulses(same)?, pulses(other)?];
    ensure!(first.len() == 2, "{first:?}");
    let apart = |with: &BTreeMap<String, Vec<(f64, String)>>| -> f64 {
        let pairs =
            first.iter().flat_map(|(path, edges)| edges.iter().zip(with.get(path).into_iter().flatten()));
        pairs.map(|(a, b)| if a.1 == b.1 { (a.0 - b.0).abs() } else { f64::MAX }).fold(0.0, f64::max)
    };
    let (near, far) = (apart(&same), apart(&other));
    eprintln!("edges of the same seed are {near:.3} s apart at most, of another one {far:.3} s");
    ensure!(near < NEAR && far > NEAR, "{first:?} {same:?} {other:?}");
    // Each repetition has draws of its own.
    let rounds: Vec<_> = first.values().collect();
    let differ = rounds[0].iter().zip(rounds[1]).any(|(a, b)| (a.0 - b.0).abs() > NEAR);
    ensure!(differ, "{first:?}");
    Ok(())
}

/// Thread or flow with its rule -> the numbers of matches that were faults.
fn fired(run: &Ended) -> Result<BTreeMap<String, BTreeSet<u64>>> {
    let mut all = BTreeMap::<_, BTreeSet<_>>::new();
    for line in fs::read_to_string(run.folder()?.join("faults.jsonl"))?.lines() {
        let line: Value = serde_json::from_str(line)?;
        let rule = line["rule_text"].as_str().context("no rule")?;
        let (who, number) = if rule.contains("loss") {
            (&line["packet"]["flow"], &line["packet"]["number"])
        } else if rule.contains("read") {
            (&line["tree_position"], &line["decision"])
        } else {
            continue;
        };
        all.entry(format!("{rule} {who}")).or_default().insert(number.as_u64().context("no number")?);
    }
    Ok(all)
}

fn faults(first: &Ended, same: &Ended, other: &Ended) -> Result<()> {
    let [first, same, other] = [fired(first)?, fired(same)?, fired(other)?];
    let who = |all: &BTreeMap<String, BTreeSet<u64>>| all.keys().cloned().collect::<Vec<_>>();
    ensure!(first.len() == 2 && who(&first) == who(&same), "{:?} {:?}", who(&first), who(&same));
    for (key, numbers) in &first {
        // Up to where both runs came.
        let up_to = |with: &BTreeSet<u64>| -> Option<[Vec<u64>; 2]> {
            let last = (*numbers.last()?).min(*with.last()?);
            Some([numbers, with].map(|all| all.range(..=last).copied().collect()))
        };
        let [one, two] = up_to(&same[key]).context("no fault")?;
        ensure!(one.len() > 20 && one == two, "{key}: {one:?} {two:?}");
        eprintln!("{key}: the same {} faults, up to number {:?}", one.len(), one.last());
        let differs = other.get(key).and_then(up_to).is_none_or(|[one, two]| one != two);
        ensure!(differs, "{key}: {other:?}");
    }
    Ok(())
}
