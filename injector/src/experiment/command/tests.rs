//! Commands that are really run.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use super::*;
use crate::experiment::{namespaces::Namespaces, testing::shell};

fn place() -> Place {
    Namespaces::default().enter().unwrap()
}

async fn told(place: &Place, text: &str) -> (String, String) {
    let words = words(&shell(text), |_| None).unwrap();
    let answer = run(place, &words).await.unwrap();
    (answer.ending.to_string(), String::from_utf8(answer.text).unwrap())
}

fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    // A zombie is dead.
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// Whether a process is dead, at once or a little later.
async fn dies(pid: &str) -> bool {
    let since = Instant::now();
    while lives(pid) && since.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    !lives(pid)
}

#[tokio::test]
async fn how_commands_end() {
    let place = place();
    for (text, ending, output) in [
        ("echo out; echo complaint >&2", "exit 0", "out\n"),
        ("exit 3", "exit 3", ""),
        ("kill -KILL $$", "signal KILL", ""),
        ("kill -TERM $$", "signal TERM", ""),
        ("no-such-command 2>/dev/null", "exit 127", ""),
        // It closes its output long before it ends.
        ("echo early; exec >&- 2>&-; sleep 0.1; exit 4", "exit 4", "early\n"),
        ("head -c 100000 /dev/zero | tr '\\0' x >&2; echo done", "exit 0", "done\n"),
    ] {
        assert_eq!(told(&place, text).await, (ending.to_owned(), output.to_owned()), "{text}");
    }
    let nothing = CommandLine::Words(vec![crate::experiment::testing::template("/no/such/program")]);
    let failure = run(&place, &words(&nothing, |_| None).unwrap()).await.unwrap_err();
    assert_eq!(failure.to_string(), "no such file or directory");
    assert_eq!(run(&place, &[]).await.unwrap_err().to_string(), "invalid input parameter");
    let long = words(&shell("yes | head -c 17000000"), |_| None).unwrap();
    assert_eq!(run(&place, &long).await, Err(Failure::TooLong("output")));
}

#[tokio::test]
async fn what_a_command_leaves_behind_is_killed() {
    let since = Instant::now();
    let (ending, pid) = told(&place(), "sleep 100 & echo $!").await;
    assert_eq!(ending, "exit 0");
    assert!(dies(&pid).await && since.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_command_that_nobody_waits_for_is_killed_with_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let namespaces = Namespaces { folder: folder.path().to_owned(), ..Namespaces::default() };
    let place = namespaces.enter().unwrap();
    let words = words(
        &shell("sleep 100 & echo $! > child; echo $$ > leader.new; mv leader.new leader; wait"),
        |_| None,
    );
    let words = words.unwrap();
    let file =
        |name: &str| std::fs::read_to_string(PathBuf::from(folder.path()).join(name)).unwrap_or_default();
    let step = Duration::from_millis(5);
    // Also one that has begun, but whoever asked for it has not heard of that yet.
    for heard in [true, false] {
        tokio::select! {
            biased;
            answer = run(&place, &words) => panic!("{answer:?}"),
            () = async {
                while file("leader").is_empty() {
                    if heard { tokio::time::sleep(step).await } else { std::thread::sleep(step) }
                }
            } => {}
        }
        assert!(dies(&file("leader")).await, "{heard}");
        assert!(dies(&file("child")).await, "{heard}");
        std::fs::remove_file(folder.path().join("leader")).unwrap();
    }
}

#[tokio::test]
async fn a_place_that_is_gone_takes_its_commands_with_it() {
    let place = place();
    let words = words(&shell("exec sleep 100"), |_| None).unwrap();
    let process = place.start(&words).await.unwrap();
    let pid = process.child.id().unwrap().to_string();
    assert!(lives(&pid));
    drop(place);
    assert!(dies(&pid).await);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_told_at_once() {
    let namespaces = Namespaces { folder: "/no/such/folder".into(), ..Namespaces::default() };
    let error = namespaces.enter().unwrap_err();
    assert!(
        error.to_string().starts_with("cannot go to the folder of the experiment: No such file"),
        "{error}"
    );
    assert!(error.hint().contains("folder"));
}
