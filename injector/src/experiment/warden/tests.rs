//! Ordinary files stand for cgroups where that is possible; the rest is seen in virtual machines.

use std::{fs, path::Path};

use super::{Warden, message::Message, recover, recover::left_in, take_lock, undo, watch::Ledger};
use crate::experiment::journal::{FILE, Undo};

fn undos() -> [Undo; 3] {
    [
        Undo::RemoveCgroup("/sys/fs/cgroup/injector-none".into()),
        Undo::Thaw("/sys/fs/cgroup/injector-none".into()),
        Undo::Write { file: "/sys/fs/cgroup/injector-none/cpu.max".into(), content: "max".into() },
    ]
}

#[test]
fn what_is_gone_is_undone() {
    for one in undos() {
        assert_eq!(undo(&one).map_err(|error| error.to_string()), Ok(()), "{one:?}");
    }
}

#[test]
fn nothing_but_cgroups_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cgroup.freeze");
    fs::write(&file, "1").unwrap();
    let written = Undo::Write { file: file.clone(), content: "0".into() };
    for one in [Undo::Thaw(folder.path().into()), Undo::RemoveCgroup(folder.path().into()), written] {
        let refused = undo(&one).unwrap_err().to_string();
        assert!(refused.ends_with("is no version 2 cgroup"), "{refused}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "1");
}

#[test]
fn only_cgroups_of_ours_are_removed() {
    let Ok(hierarchy) = crate::target::Hierarchy::discover(&crate::target::Procfs::default()) else { return };
    let refused = undo(&Undo::RemoveCgroup(hierarchy.mount_point().into())).unwrap_err().to_string();
    assert!(refused.ends_with("was not made by injector"), "{refused}");
}

#[test]
fn what_was_told_and_not_taken_back_is_left() {
    let [one, two, three] = undos();
    let told = [
        Message::Will(one.clone()),
        Message::Will(two.clone()),
        Message::Deadline(7),
        Message::Will(three.clone()),
        Message::Undone(two.clone()),
        Message::Undone(two),
    ];
    let bytes: Vec<u8> = told.iter().flat_map(|message| message.line().unwrap()).collect();
    let mut ledger = Ledger::default();
    // However the bytes come.
    bytes.chunks(5).for_each(|chunk| ledger.take_in(chunk));
    assert_eq!(ledger.left(), [one, three]);
}

#[test]
fn the_journal_says_what_is_left_and_a_lock_that_it_runs() {
    let runs = tempfile::tempdir().unwrap();
    let folder = runs.path().join("run");
    fs::create_dir(&folder).unwrap();
    let [one, two, three] = undos();
    {
        let warden = Warden::start().unwrap();
        warden.journal(&folder).unwrap();
        for undo in [&one, &two, &three] {
            warden.will(undo).unwrap();
        }
        warden.undone(&two).unwrap();
        assert_eq!(left_in(&fs::read(folder.join(FILE)).unwrap()), [one.clone(), three.clone()]);
        assert_eq!(warden.finish(), Vec::<String>::new());
        let said = warden.will(&one).unwrap_err().to_string();
        assert!(said.starts_with("cannot tell the warden"), "{said}");
    }
    // The warden has undone the others; the last one was never done.
    assert_eq!(left_in(&fs::read(folder.join(FILE)).unwrap()), std::slice::from_ref(&one));
    let lock = take_lock(&folder).unwrap().unwrap();
    assert!(take_lock(&folder).unwrap().is_none());
    assert_eq!(recover(runs.path()), super::Recovered::default(), "it runs");
    drop(lock);
    cut_off(&folder);
    let journal = fs::File::options().append(true).open(folder.join(FILE)).unwrap();
    let written = journal.metadata().unwrap().modified().unwrap();
    journal.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(recover(runs.path()), super::Recovered::default(), "the machine was booted since");
    journal.set_modified(written).unwrap();
    assert_eq!(recover(runs.path()).undone.len(), 1);
    assert_eq!(recover(runs.path()), super::Recovered::default(), "nothing is left to do");
    assert_eq!(recover(&runs.path().join("none")), super::Recovered::default());
}

/// A line that a full disk cut off.
fn cut_off(folder: &Path) {
    let mut journal = fs::read(folder.join(FILE)).unwrap();
    journal.extend_from_slice(b"{\"at\":1,\"kind\":\"wi");
    fs::write(folder.join(FILE), journal).unwrap();
}
