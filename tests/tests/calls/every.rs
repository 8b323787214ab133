//! Every system call of x86-64, each failed once with an errno, by both of the kernel's entries.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use injector::syscalls::{self, Abi, Machine, Safety};
use injector_tests::{
    board::Board,
    cgroup::Scratch,
    injector::Injector,
    victim::{self, EVERY},
};

use crate::any_call;

/// An error that no call gives by itself.
const ERROR: i32 = libc::EXFULL;

/// Makes each call of `abi` that may fail, by `entry`, while all of them are to fail. Those that this
/// kernel was built without are told by the injector, and are not made.
fn each_call_fails(abi: Abi, set: &str, entry: &str, at_least: usize) -> Result<()> {
    let all: Vec<_> = syscalls::all(Machine::X86_64)
        .filter(|call| call.call.abi == abi && call.is_implemented())
        .filter(|call| !matches!(call.safety(false), Safety::Never(_)))
        .collect();
    let target = Scratch::new()?;
    let rule = format!("{set}:error={ERROR}");
    let planned = Injector::attach(target.path(), &rule)?.words(["--unsafe", "--dry-run"]).expect(0)?;
    let said = planned.stdout + &planned.stderr;
    let missing = left_out(&said);
    let calls: Vec<_> = all.into_iter().filter(|call| !missing.contains(call.name)).collect();
    eprintln!("{} calls of {abi}; left out by this kernel: {missing:?}", calls.len());
    ensure!(calls.len() >= at_least, "{} calls", calls.len());

    let numbers: Vec<_> = calls.iter().map(|call| (call.call.number & !Abi::X32_BIT).to_string()).collect();
    let words: Vec<_> = [entry].into_iter().chain(numbers.iter().map(String::as_str)).collect();
    let (board, folder) = (Board::held(1, calls.len())?, victim::folder()?);
    let mut child = target.spawn(&mut victim::command(EVERY, &words, &board, folder.path())?)?;
    board.wait_ready(1)?;
    let mut injector = Injector::attach(target.path(), &rule)?.word("--unsafe").json().logged().start()?;
    injector.begun()?;
    board.release()?;
    board.wait_done()?;
    ensure!(child.wait()?.success(), "the victim failed");
    let finished = injector.interrupt()?.expect(0)?;

    let results = board.results(0)?;
    let wrong: Vec<_> = calls
        .iter()
        .zip(&results)
        .filter(|(_, result)| **result != -i64::from(ERROR))
        .map(|(call, result)| format!("{}: {result}", call.name))
        .collect();
    ensure!(wrong.is_empty(), "these did not fail: {wrong:?}");
    let told: BTreeSet<_> = finished.log.iter().filter_map(|line| line["syscall"].as_str()).collect();
    let untold: Vec<_> =
        calls.iter().filter(|call| !told.contains(call.name)).map(|call| call.name).collect();
    ensure!(untold.is_empty(), "the log does not tell of {untold:?}");
    assert_eq!(finished.report()?.lost_events, 0);
    Ok(())
}

/// The names behind "leaves out calls that this kernel cannot make fail (N): ".
fn left_out(text: &str) -> BTreeSet<&str> {
    let names = text.lines().filter_map(|line| line.split_once("cannot make fail (")?.1.split_once("): "));
    names.flat_map(|(_, names)| names.split(", ")).collect()
}

#[test]
fn every_native_call_fails_once() -> Result<()> {
    if !any_call()? {
        return Ok(());
    }
    each_call_fails(Abi::X86_64, "all@64", "syscall", 300).context("64 bits")
}

#[test]
fn every_call_of_the_32_bit_entry_fails_once() -> Result<()> {
    if !any_call()? {
        return Ok(());
    }
    each_call_fails(Abi::I386, "all@32", "int80", 350).context("32 bits")
}
