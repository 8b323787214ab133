//! Process trees as targets: every way to descend from a process, and namespaces in which numbers differ.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::{Child, Command},
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    board::Board,
    cgroup::{Scratch, move_into},
    guest,
    injector::{Injector, Running},
    network::sh,
    patience,
    victim::{self, ROLES, ROLES_BEFORE, Steady},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{EIO, SLACK, operation};

#[test]
fn everybody_who_descends_from_a_process() -> Result<()> {
    let (operation, folder) = (operation()?, victim::folder()?);
    let (board, mut tree) = held_tree(5, folder.path())?;
    let outsider = Steady::start(operation)?;
    let rule = format!("inject={}:error=EIO", operation.name);
    let mut injector = Injector::new(["attach", "-e", &rule, "--pid", &tree.id().to_string(), "--json"])?
        .logged()
        .start()?;
    injector.begun()?;
    board.release()?;
    board.wait_done()?;
    ensure!(tree.wait()?.success(), "the tree failed");
    // The root is gone, and whoever descends from it as well.
    let finished = injector.finish()?.expect(0)?;
    all_failed(&board, 5)?;
    let tally = outsider.board.tally()?;
    assert_eq!((tally.failed, tally.succeeded > 0), (0, true));

    // The log tells who it was, each thread at a position of its own.
    assert_eq!(finished.report()?.rules[0].fired, 5 * ROLES.len() as u64);
    let mut positions: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for line in &finished.log {
        let (position, tid) =
            (line["tree_position"].as_str().unwrap_or_default(), line["tid"].as_u64().unwrap_or(0));
        positions.entry(position).or_default().insert(tid);
    }
    assert_eq!(positions.len(), ROLES.len(), "{positions:?}");
    assert!(positions.values().all(|tids| tids.len() == 1), "{positions:?}");
    let tids: BTreeSet<_> = positions.values().flatten().copied().collect();
    for (worker, role) in ROLES.iter().enumerate() {
        assert!(tids.contains(&u64::from(board.worker(worker)?.tid)), "{role} is not in the log");
    }
    Ok(())
}

#[test]
fn everybody_whom_a_command_starts() -> Result<()> {
    let (operation, folder) = (operation()?, victim::folder()?);
    let board = Board::new(ROLES.len(), 5)?;
    Injector::run(&format!("{}:error=EIO", operation.name))?
        .command(&[victim::TREE, operation.name, "5"])
        .in_folder(board.stdin()?, folder.path())
        .expect(0)?;
    // CLONE_PARENT makes a child of the injector, but in the command's cgroup.
    all_failed(&board, 5)
}

#[test]
fn a_number_of_a_thread_is_told_from_a_process() -> Result<()> {
    let folder = victim::folder()?;
    let (board, mut tree) = held_tree(1, folder.path())?;
    let thread = board.worker(10)?;
    ensure!(thread.pid != thread.tid, "{thread:?}");
    let finished =
        Injector::new(["attach", "-e", "inject=read:error=EIO", "--pid", &thread.tid.to_string()])?
            .expect(2)?;
    ensure!(finished.stderr.contains(&format!("--pid {}", thread.pid)), "{}", finished.stderr);
    board.release()?;
    board.wait_done()?;
    tree.wait()?;
    Ok(())
}

/// Numbers differ between namespaces; the log tells both.
#[test]
fn a_process_in_a_pid_namespace_of_its_own() -> Result<()> {
    let (operation, folder) = (operation()?, victim::folder()?);
    let board = Board::held(1, 6)?;
    let mut outer = Command::new("unshare");
    outer.args(["--pid", "--fork", "--mount-proc", victim::CALLS, operation.name, "0", "1", "6"]);
    let mut outer = outer.stdin(board.stdin()?).current_dir(folder.path()).spawn()?;
    board.wait_ready(1)?;
    let worker = board.worker(0)?;
    assert_eq!((worker.pid, worker.tid), (1, 1));
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", outer.id()));
    let inner: u32 = match children {
        Ok(children) => children.trim().parse()?,
        // Without CONFIG_PROC_CHILDREN.
        Err(_) => sh(&format!("pgrep -P {}", outer.id()))?.trim().parse()?,
    };
    let rule = format!("inject={}:error=EIO:when=2+2", operation.name);
    let mut injector =
        Injector::new(["attach", "-e", &rule, "--pid", &inner.to_string()])?.logged().start()?;
    injector.begun()?;
    board.release()?;
    board.wait_done()?;
    outer.wait()?;
    let finished = injector.finish()?.expect(0)?;
    assert_eq!(board.failures(0)?, [(2, libc::EIO), (4, libc::EIO), (6, libc::EIO)]);
    assert_eq!(finished.log.len(), 3);
    for line in &finished.log {
        let numbers = ["pid", "tid", "ns_pid", "ns_tid"].map(|field| line[field].as_u64());
        let inner = Some(u64::from(inner));
        assert_eq!(numbers, [inner, inner, Some(1), Some(1)], "{line:#}");
    }
    Ok(())
}

/// An injector in a pid namespace of its own, as in a container, with a target that it sees there.
#[test]
fn an_injector_in_a_pid_namespace_of_its_own() -> Result<()> {
    let (operation, folder) = (operation()?, victim::folder()?);
    let board = Board::new(1, 6)?;
    let script = format!(
        "{} {} 0 1 6 <&3 & p=$!; {} attach -e inject={}:error=EIO --pid $p & i=$!; wait $p; wait $i",
        victim::CALLS,
        operation.name,
        guest::injector()?.display(),
        operation.name
    );
    // The victim waits until the injector has begun.
    let board_held = Board::held(1, 6)?;
    drop(board);
    let script = format!("exec 3<&0; {script}");
    let mut outer = Command::new("unshare");
    outer.args(["--pid", "--fork", "--mount-proc", "sh", "-c", &script]);
    let stderr = folder.path().join("stderr");
    outer.stdin(board_held.stdin()?).stderr(fs::File::create(&stderr)?).current_dir(folder.path());
    let mut outer = outer.spawn()?;
    board_held.wait_ready(1)?;
    patience::until("the injector's beginning", patience::LONG, || {
        Ok(fs::read_to_string(&stderr)?.contains("injector: plan "))
    })
    .with_context(|| fs::read_to_string(&stderr).unwrap_or_default())?;
    board_held.release()?;
    board_held.wait_done()?;
    ensure!(outer.wait()?.success(), "{}", fs::read_to_string(&stderr)?);
    assert_eq!(board_held.failures(0)?.len(), 6, "{}", fs::read_to_string(&stderr)?);
    Ok(())
}

#[test]
fn a_moved_process_keeps_its_target_of_its_own() -> Result<()> {
    let operation = operation()?;
    let (victim, elsewhere) = (Steady::start(operation)?, Scratch::new()?);
    let rule = format!("inject={}:error=EIO", operation.name);
    let mut injector = Injector::new(["attach", "-e", &rule, "--pid", &victim.pid().to_string()])?.start()?;
    injector.begun()?;
    victim.board.wait_faults(SLACK)?;
    move_into(elsewhere.path(), victim.pid())?;
    assert_eq!(victim.board.next(10)?.succeeded, 0);
    injector.interrupt()?.expect(0)?;
    victim.board.wait_relief(SLACK)?;
    move_into(victim.cgroup.path(), victim.pid())?;
    Ok(())
}

/// Several threads of a process can each be told that they are its last; the count of those who live is exact
/// nevertheless: too few or too many, and the plan would not end with its target.
#[test]
fn processes_whose_threads_end_at_once_are_counted_once() -> Result<()> {
    const ROUNDS: &str = "50";
    const THREADS: &str = "64";
    let (operation, folder) = (operation()?, victim::folder()?);
    let board = Board::held(1, 0)?;
    let words = [operation.name, ROUNDS, THREADS];
    let root = victim::command(victim::EXITS, &words, &board, folder.path())?.spawn()?;
    board.wait_ready(1)?;
    let rule = format!("inject={}:error=EIO", operation.name);
    let mut injector = Injector::new(["attach", "-e", &rule, "--pid", &root.id().to_string()])?.start()?;
    injector.begun()?;
    board.release()?;
    ends_with_its_root(injector, &board, root)
}

/// A thread that executes a program becomes its process's first, and the one that was is gone. The process still counts
/// once: the plan goes on as long as it lives, and ends with it.
#[test]
fn a_process_that_another_thread_takes_over_is_counted() -> Result<()> {
    let (operation, folder) = (operation()?, victim::folder()?);
    let board = Board::new(1, 0)?;
    let words = [victim::STEADY, operation.name, "2"];
    let root = victim::command(victim::TAKEOVER, &words, &board, folder.path())?.spawn()?;
    let stopped = || Ok(fs::read_to_string(format!("/proc/{}/stat", root.id()))?.contains(") T "));
    patience::until("the stop", SLACK, stopped)?;
    let rule = format!("inject={}:error=EIO", operation.name);
    let mut injector = Injector::new(["attach", "-e", &rule, "--pid", &root.id().to_string()])?.start()?;
    injector.begun()?;
    kill(Pid::from_raw(root.id().cast_signed()), Signal::SIGCONT)?;
    board.wait_faults(SLACK)?;
    ends_with_its_root(injector, &board, root)
}

/// The plan acts as long as its root lives, and ends with it.
fn ends_with_its_root(mut injector: Running, board: &Board, mut root: Child) -> Result<()> {
    assert_eq!(board.next(10)?.succeeded, 0);
    ensure!(!injector.has_ended()?, "{}", injector.stderr());
    board.stop()?;
    ensure!(root.wait()?.success(), "the root failed");
    patience::until("the plan's end", SLACK, || injector.has_ended())?;
    injector.finish()?.expect(0)?;
    Ok(())
}

/// Every call of every role has to have failed.
fn all_failed(board: &Board, calls: usize) -> Result<()> {
    let mut spared = Vec::new();
    for (worker, role) in ROLES.iter().enumerate() {
        let results = board.results(worker)?;
        if results != vec![EIO; calls] {
            spared.push(format!("{role}: {results:?}"));
        }
    }
    ensure!(spared.is_empty(), "not everybody met every fault: {spared:#?}");
    Ok(())
}

/// A process tree that waits on its board, four of it there already.
fn held_tree(calls: usize, folder: &Path) -> Result<(Board, Child)> {
    let board = Board::held(ROLES.len(), calls)?;
    let words = [operation()?.name, &calls.to_string()];
    let child = victim::command(victim::TREE, &words, &board, folder)?.spawn()?;
    board.wait_ready(ROLES_BEFORE)?;
    Ok((board, child))
}

/// Process 1 of a container is a process like any other; that of the machine is refused.
#[test]
fn a_containers_first_process_is_a_target() -> Result<()> {
    let script = "\"$INJECTOR\" attach --pid 1 -e inject=mkdir,mkdirat:error=EIO --for 60s & \
                  while mkdir probe 2>/dev/null; do rmdir probe; sleep 0.2; done; \
                  kill -TERM $!; wait $!; echo code $?";
    let folder = victim::folder()?;
    let mut container = Command::new("unshare");
    container.args(["--pid", "--fork", "--mount-proc", "sh", "-c", script]).current_dir(folder.path());
    let output = container.output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(said.contains("code 0"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let refused = Injector::new(["attach", "--pid", "1", "-e", "inject=mkdir:error=EIO"])?.expect(2)?;
    ensure!(refused.stderr.contains("init"), "{}", refused.stderr);
    Ok(())
}
