//! The truth table: a server with a known law of latency and failures, and a ledger of its own. What the report says of it
//! is counted again from the ledgers by a script that shares no code with the product, to the last digit.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
};

use anyhow::{Context as _, Result, ensure};
use injector_tests::victim;

use crate::runs::Run;

const RECOUNT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/victims/recount.py");

/// Requests 130 to 249 fail, 6 s long: from the last seconds under the fault into the recovery.
const EXPERIMENT: &str = r#"
injector: 1
title: The truth table
seed: 9
lab:
  services:
    web: {run: "exec SCRIPTED ${address} 8080 ${dir}/served 130 250", ready: {tcp: "8080", within: 60s}}
load: {gets: {http: "http://web:8080/${n}", rate: 20/s, timeout: 5s}}
probes: {tenth: {command: "echo 0.30000000000000004", value: number, every: 1s, timeout: 5s}}
steady: {for: 2s, within: 60s, hold: [gets errors < 30%]}
hypothesis:
  text: The report says what was seen.
  during:
    [gets p50 < 1ms, gets p99 < 5s, gets errors < 60%, gets outage < 1s, gets errors < 50% over 1s, tenth value < 1]
  recovery: {within: 15s, settle: 3s}
  after: [gets errors < 30% over 2s, gets p95 < 5s]
method:
  - {fault: slow, target: web, net: 'tcp sport 8080 : delay 20ms', for: 6s}
  - {check: [gets errors < 40% over 1s]}
"#;

fn recount(folder: &Path) -> Result<Output> {
    // Of the recovery: less than 30 % of errors, for 3 s.
    Ok(Command::new("python3").arg(RECOUNT).arg(folder).args(["gets", "0.3", "3"]).output()?)
}

#[test]
fn the_report_says_what_the_ledgers_say() -> Result<()> {
    let ended = Run::start(&EXPERIMENT.replace("SCRIPTED", victim::SCRIPTED), &[])?.end(10)?;
    let folder = ended.folder()?;
    let counted = recount(&folder)?;
    let said = String::from_utf8_lossy(&counted.stdout).into_owned();
    ensure!(counted.status.success(), "{said}{}", String::from_utf8_lossy(&counted.stderr));
    eprint!("{said}");
    let figures = &ended.report["sources"][0]["phases"];
    eprintln!("{} {}", figures["during"], ended.report["recovery"]);
    eprintln!("{} {}", ended.report["faults"][0]["rules"], ended.report["reasons"]);
    // The failures lasted beyond the fault.
    let outage = figures["during"]["outage"].as_f64().context("no outage")?;
    let recovered = ended.report["recovery"]["recovered_after"].as_f64().context("no recovery")?;
    ensure!(outage > 1.0 && recovered > 0.5, "{outage} {recovered}");
    ensure!(ended.report["sources"][1]["phases"]["during"]["p50"] == 0.300_000_000_000_000_04);
    the_server_agrees(&folder)?;
    // The script sees a digit that is wrong.
    let report = fs::read_to_string(folder.join("report.json"))?;
    let p95 = figures["during"]["p95"].to_string();
    ensure!(report.contains(&p95), "{p95}");
    fs::write(folder.join("report.json"), report.replacen(&p95, &format!("{p95}1"), 1))?;
    ensure!(recount(&folder)?.status.code() == Some(1));
    Ok(())
}

/// What the server has answered well is what the load found good, request by request.
fn the_server_agrees(folder: &Path) -> Result<()> {
    let served = fs::read_to_string(folder.join("services/web/served"))?;
    let served: BTreeMap<_, _> = served.lines().filter_map(|line| line.split_once(',')).collect();
    let ledger = fs::read_to_string(folder.join("ledger-gets.csv"))?;
    let mut counts = [0; 2];
    for line in ledger.lines().skip(1) {
        let number = line.split(',').next().unwrap_or_default();
        let outcome = line.rsplit(',').next().unwrap_or_default();
        let status = served.get(number).with_context(|| format!("request {number} never came"))?;
        let expected = if *status == "200" { "ok" } else { "status 503" };
        ensure!(outcome == expected, "{line}: the server said {status}");
        counts[usize::from(expected != "ok")] += 1;
    }
    ensure!(counts[0] + counts[1] == served.len(), "{} were served", served.len());
    ensure!(counts[1] > 80, "{counts:?}");
    eprintln!("the server's ledger has the same {} good and {} bad", counts[0], counts[1]);
    Ok(())
}
