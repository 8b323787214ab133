//! One file, read by every road there is: names, descriptors, mounts, and the ways that are no `read`.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, ensure};
use injector_tests::{guest::Kernel, injector::Finished, victim};

use crate::under;

const ROADS: [&str; 14] = [
    "relative", "dirfd", "symlink", "procfd", "renamed", "deleted", "bind", "chroot", "overlay", "sendfile",
    "splice", "aio", "uring", "worker",
];

/// What the victim says of each road: an errno, or `None` where the kernel has no such road.
fn outcomes(finished: &Finished) -> Result<BTreeMap<String, Option<i32>>> {
    let line = |line: &str| {
        let (road, result) = line.split_once(' ').context(line.to_owned())?;
        Ok((road.to_owned(), if result == "none" { None } else { Some(result.parse()?) }))
    };
    finished.stdout.lines().map(line).collect()
}

/// Where the thread sees the file of `road`.
fn seen(road: &str, folder: &Path) -> String {
    let folder = folder.display();
    match road {
        "chroot" => "/chroot.dat".into(),
        "bind" => format!("{folder}/onto/bind.dat"),
        "overlay" => format!("{folder}/merged/overlay.dat"),
        road => format!("{folder}/{road}.dat"),
    }
}

#[test]
fn a_read_fails_by_every_road_and_is_told_with_its_path() -> Result<()> {
    let folder = victim::folder()?;
    let words: Vec<_> = [victim::ROADS].into_iter().chain(ROADS).collect();
    let finished = under(&["read:error=EIO:path=*.dat"], &words, folder.path())?.expect(0)?;
    let outcomes = outcomes(&finished)?;
    ensure!(outcomes.len() == ROADS.len(), "{outcomes:?}");
    let there: Vec<_> = ROADS.into_iter().filter(|&road| outcomes[road].is_some()).collect();
    for (road, outcome) in &outcomes {
        match outcome {
            Some(errno) => assert_eq!(*errno, libc::EIO, "{road}: {}", finished.stderr),
            // What a kernel may have been built without.
            None => ensure!(["overlay", "uring", "worker", "aio"].contains(&&**road), "{road} is not there"),
        }
    }
    // Once each: the layer below an overlay, and a second piece, count nothing.
    let counts = &finished.report()?.rules[0];
    assert_eq!((counts.matched, counts.fired), (there.len() as u64, there.len() as u64), "{there:?}");
    let told: Vec<_> =
        finished.log.iter().map(|line| line["path"].as_str().unwrap_or("none").to_owned()).collect();
    let expected: Vec<_> = there.iter().map(|road| seen(road, folder.path())).collect();
    assert_eq!(told, expected);
    for (line, road) in finished.log.iter().zip(&there) {
        assert_eq!((&line["operation"], &line["backend"]), (&"read".into(), &"hook".into()), "{road}");
        // A worker of io_uring is in no call, and all others are. What cannot be read at once goes to one, too.
        let worker = line["comm"].as_str().is_some_and(|comm| comm.starts_with("iou-wrk"));
        assert_eq!(line.get("syscall").is_none(), worker, "{road}: {line:#}");
        ensure!(if *road == "worker" { worker } else { !worker || *road == "uring" }, "{road}: {line:#}");
    }
    Ok(())
}

#[test]
fn other_paths_are_left_alone() -> Result<()> {
    let folder = victim::folder()?;
    let words: Vec<_> = [victim::ROADS].into_iter().chain(ROADS).collect();
    let rules = ["read:error=EIO:path=*.txt", "read:error=EIO:path=/*.dat:path=before:path=*deleted*)"];
    let finished = under(&rules, &words, folder.path())?.expect(0)?;
    for (road, outcome) in outcomes(&finished)? {
        // `/*.dat` is the chroot's file only, as the thread in there sees it.
        let expected = if road == "chroot" { libc::EIO } else { 0 };
        ensure!(outcome.is_none_or(|errno| errno == expected), "{road}: {outcome:?}");
    }
    let report = finished.report()?;
    assert_eq!((report.rules[0].matched, report.rules[1].matched), (0, 1));
    Ok(())
}

#[test]
fn a_mapping_fails() -> Result<()> {
    let folder = victim::folder()?;
    let finished =
        under(&["mmap:error=ENODEV:path=map.dat"], &[victim::ROADS, "map", "relative"], folder.path())?;
    let outcomes = outcomes(&finished.expect(0)?)?;
    assert_eq!((outcomes["map"], outcomes["relative"]), (Some(libc::ENODEV), Some(0)));
    Ok(())
}

/// A program that does all by io_uring, through liburing: of two files, one fails.
#[test]
fn fio_by_io_uring() -> Result<()> {
    let folder = victim::folder()?;
    let words = |name: &str| {
        let job =
            format!("fio --name=job --filename={name} --size=256k --bs=4k --rw=read --ioengine=io_uring");
        job.split(' ').map(str::to_owned).collect::<Vec<_>>()
    };
    for name in ["good.dat", "bad.dat"] {
        std::fs::write(folder.path().join(name), vec![7; 256 * 1024])?;
    }
    let run = |name: &str| {
        let words = words(name);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        under(&["read:error=EIO:path=bad.dat"], &words, folder.path())
    };
    let good = run("good.dat")?;
    // Only the kernel with error injection may have been built without.
    if Kernel::running()?.injects_calls() && good.stderr.contains("not implemented") {
        return Ok(());
    }
    let good = good.expect(0)?;
    assert_eq!(good.report()?.rules[0].matched, 0);
    let bad = run("bad.dat")?;
    ensure!(bad.code != 0 && (bad.stdout + &bad.stderr).contains("Input/output error"), "{:?}", bad.log);
    ensure!(bad.log.iter().all(|line| line["path"].as_str().is_some_and(|path| path.ends_with("/bad.dat"))));
    // No call read: what is there is the submission.
    ensure!(bad.log.iter().all(|line| line.get("syscall").is_none_or(|call| call == "io_uring_enter")));
    ensure!(!bad.log.is_empty());
    Ok(())
}
