//! Plans in child processes: two with delays at once, in a program with many threads that uses the library only as a
//! dependency (`examples/two_delays.rs`).

use std::{
    io::{BufRead as _, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use injector_tests::{
    guest::Kernel,
    residue::{Census, Exceptions},
    victim::{OPENAT, Steady},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_two_delays");
const WHILE: Duration = Duration::from_secs(3);

/// The program on two victims, when both plans act.
fn begun(victims: &[Steady; 2]) -> Result<(Child, Lines<BufReader<ChildStdout>>)> {
    let pids = victims.each_ref().map(|victim| victim.pid().to_string());
    let mut program = Command::new(PROGRAM).args(pids).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(program.stdout.take().context("no stdout")?).lines();
    for _ in 0..2 {
        let line = lines.next().context("the program has ended")??;
        ensure!(line.contains(" ms by plan "), "{line}");
    }
    Ok((program, lines))
}

/// Where no call can be delayed, the program is told so.
fn refused(victims: &[Steady; 2]) -> Result<bool> {
    let kernel = Kernel::running()?;
    if kernel.injects_calls() || kernel.delays_at_hooks() {
        return Ok(false);
    }
    let pids = victims.each_ref().map(|victim| victim.pid().to_string());
    let output = Command::new(PROGRAM).args(pids).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && said.contains("this kernel cannot make openat do"), "{said}");
    Ok(true)
}

/// How many calls each victim makes in [`WHILE`].
fn pace(victims: &[Steady; 2]) -> Result<[u64; 2]> {
    let made = || -> Result<_> {
        let [one, other] = victims.each_ref().map(|victim| victim.board.tally());
        Ok([one?.succeeded, other?.succeeded])
    };
    let before = made()?;
    thread::sleep(WHILE);
    let after = made()?;
    Ok([after[0] - before[0], after[1] - before[1]])
}

#[test]
fn two_plans_delay_at_once() -> Result<()> {
    let victims = [Steady::start(OPENAT)?, Steady::start(OPENAT)?];
    let census = Census::take()?;
    if refused(&victims)? {
        return census.gone(Exceptions::None).map(drop);
    }
    let usual = pace(&victims)?;
    let (mut program, lines) = begun(&victims)?;
    // 50 and 200 ms: 60 calls and 15 in that time, at most.
    let [one, other] = pace(&victims)?;
    ensure!(usual.iter().all(|&usual| usual > 2 * one), "{one} instead of {usual:?}");
    ensure!((3..=16).contains(&other) && one > other && one <= 61, "{one}, {other}");
    let told: Vec<_> = lines.collect::<Result<_, _>>()?;
    ensure!(program.wait()?.success());
    ensure!(told.len() == 2, "{told:?}");
    for line in told {
        // What comes between the end and the programs' going is matched, and passes.
        let fired: u64 = line.split(' ').nth(1).context("no number")?.parse()?;
        ensure!(fired > 20 && line.ends_with("`inject=openat:delay_enter=100ms`"), "{line}");
    }
    victims.iter().try_for_each(|victim| victim.board.next(20).map(drop))?;
    census.gone(Exceptions::None)?;
    Ok(())
}

/// However the program ends, its plans do.
#[test]
fn plans_end_with_their_program() -> Result<()> {
    let victims = [Steady::start(OPENAT)?, Steady::start(OPENAT)?];
    let census = Census::take()?;
    if refused(&victims)? {
        return census.gone(Exceptions::None).map(drop);
    }
    let (mut program, _lines) = begun(&victims)?;
    program.kill()?;
    program.wait()?;
    victims.iter().try_for_each(|victim| victim.board.next(60).map(drop))?;
    census.gone(Exceptions::None)?;
    Ok(())
}
