//! A service that says yes and forgets is found by `lost`, to the number.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use injector::experiment::judge::Truth;
use injector_tests::{victim, victim::LIAR};

use super::{Ended, Trial};

/// The fault is none that loses anything: the service does that by itself.
const FILE: &str = r#"
injector: 1
title: A service that forgets
parameters: {liar: "", times: "2"}
lab:
  services:
    store: {run: ["${liar}", "8080", "1000", "${times}"], ready: {tcp: "8080"}}
load:
  puts: {http: {url: "http://store:8080/${n}", method: PUT}, rate: 100/s, timeout: 10s}
probes:
  lost: {lost: {load: puts, read: "curl --silent --fail http://store:8080/"}}
steady: {for: 2s, hold: ["puts errors < 1%"]}
hypothesis:
  text: What was acknowledged is there.
  during: ["puts errors < 1%"]
  recovery: {within: 20s, settle: 2s}
  after: ["lost value = 0"]
method:
  - {fault: slower, target: store, net: "tcp sport 8080 : delay 20ms", for: 14s}
"#;

fn run(times: &str, code: u8) -> Result<Ended> {
    let folder = victim::folder()?;
    let file = folder.path().join("liar.yaml");
    fs::write(&file, FILE)?;
    Trial::start(&file, &[("liar", LIAR), ("times", times)], &[])?.finish()?.expect(code)
}

#[test]
fn one_forgotten_write_of_a_thousand_is_found() -> Result<()> {
    let lied = run("2", 10)?;
    let forgotten = lied.log("store")?.matches("forgot ").count();
    let lost = lied.condition("lost value")?;
    ensure!(forgotten == 2 && lost.measured == Some(2.0), "{forgotten}: {lost:?}");
    ensure!(lost.truth == Truth::False && lied.report.reasons.len() == 1, "{:?}", lied.report.reasons);
    let honest = run("0", 0)?;
    let lost = honest.report.conditions.iter().find(|condition| condition.condition.starts_with("lost"));
    ensure!(lost.context("nothing")?.measured == Some(0.0));
    Ok(())
}
