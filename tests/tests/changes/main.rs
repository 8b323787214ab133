//! Changes of live plans: what goes on never pauses and counts on, what is new begins, what is gone stops,
//! and what cannot be had changes nothing. And the lines that show on a terminal how the rules move.

mod counts;
mod ends;
mod gaps;
mod many;
mod outside;
mod pauses;
mod prepared;
mod ramps;
mod refusals;
mod terminal;

use std::time::Duration;

use anyhow::{Context, Result};
use injector_tests::{
    guest::Kernel,
    injector::{Finished, Injector, Running},
    victim::{Operation, Steady, usual},
};
use serde_json::Value;

/// From a change's answer to what the victim notices.
const SLACK: Duration = Duration::from_secs(2);
const EIO: i64 = -(libc::EIO as i64);
const EPERM: i64 = -(libc::EPERM as i64);

fn operation() -> Result<Operation> {
    Ok(usual(Kernel::running()?))
}

/// A rule on the victim's calls.
fn rule(actions: &str) -> Result<String> {
    Ok(format!("inject={}:{actions}", operation()?.name))
}

/// An `attach` to the victim under these rules, with a report as JSON, and the plan's id.
fn attached(victim: &Steady, rules: &[&str]) -> Result<(Running, String)> {
    begun(attach(victim, rules)?)
}

/// The same with a log. A busy victim would fill the guest's memory with it.
fn attached_with_log(victim: &Steady, rules: &[&str]) -> Result<(Running, String)> {
    begun(attach(victim, rules)?.logged())
}

fn attach(victim: &Steady, rules: &[&str]) -> Result<Injector> {
    let mut injector = Injector::new(["attach", "--json", "--cgroup"])?.word(victim.cgroup.path());
    for rule in rules {
        injector = injector.words(["-e", rule]);
    }
    Ok(injector)
}

fn begun(injector: Injector) -> Result<(Running, String)> {
    let mut running = injector.start()?;
    let id = running.begun()?;
    Ok((running, id))
}

/// `injector change ID -e RULE…`.
fn change(id: &str, rules: &[&str]) -> Result<Injector> {
    let injector = Injector::new(["change", id])?;
    Ok(rules.iter().fold(injector, |injector, rule| injector.words(["-e", rule])))
}

/// A change that has to be made.
fn changed(id: &str, rules: &[&str]) -> Result<Finished> {
    change(id, rules)?.expect(0)
}

/// The only plan, as `ps` lists it.
fn listed() -> Result<Value> {
    let plans: Value = serde_json::from_str(&Injector::new(["ps", "--json"])?.expect(0)?.stdout)?;
    plans.get(0).cloned().context("no plan is listed")
}

/// The texts of its rules.
fn rules_listed() -> Result<Vec<String>> {
    let plan = listed()?;
    let rules = plan["rules"].as_array().context("no rules")?;
    Ok(rules.iter().filter_map(|rule| rule["text"].as_str().map(str::to_owned)).collect())
}
