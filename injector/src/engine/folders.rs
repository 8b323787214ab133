//! A note on rules whose `path=` is a folder that is there: it means the folder itself, and people mean what is in it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use nix::sys::signal::SigSet;
use rustix::thread::CapabilitySet;

use crate::{
    kernel::rights,
    plan::objects::chosen,
    spec::model::{Rule, RuleKind},
    syscalls,
};

/// A file system that does not answer for longer, such as a dead NFS, is not waited for: it is only a note.
const PATIENCE: Duration = Duration::from_millis(500);

/// Of folders as the targets see them, whose root directories are `roots`.
pub(super) fn notes(rules: &[Rule], roots: Vec<PathBuf>) -> Vec<String> {
    let paths: Vec<_> = rules.iter().flat_map(asked).collect();
    if paths.is_empty() {
        return Vec::new();
    }
    let folders = folders(paths, roots);
    let mut notes = Vec::new();
    for rule in rules {
        for path in asked(rule).filter(|path| folders.contains(path)) {
            notes.push(format!(
                "`{}`: {path} is a folder, and `path={path}` means only the folder itself; `path={path}/**` means what \
                 is in it",
                rule.text
            ));
        }
    }
    notes
}

/// The whole paths that a rule names, unless another pattern of it means what is below, or the rule is on what is
/// done to folders only.
fn asked(rule: &Rule) -> impl Iterator<Item = String> {
    let of_folders = |name: &str| matches!(name, "mkdir" | "mkdirat" | "rmdir");
    let exempt = match &rule.kind {
        RuleKind::Syscall(call) => {
            let mut names = call.calls.iter().filter_map(|call| syscalls::get(*call)).map(|entry| entry.name);
            names.all(of_folders)
        }
        RuleKind::Operation(rule) => rule.operations.iter().all(|operation| of_folders(operation.name)),
        RuleKind::Net(_) | RuleKind::UserSpace(_) => true,
    };
    let paths = chosen(&rule.kind).and_then(|objects| objects.paths.as_ref()).filter(|_| !exempt);
    paths.into_iter().flat_map(|paths| {
        let literal = paths.patterns().filter_map(literal);
        literal.filter(|path| path != "/" && !paths.glob().matches(format!("{path}/x").as_bytes()))
    })
}

/// The one path that a pattern means, if it means one.
fn literal(pattern: &str) -> Option<String> {
    if !pattern.starts_with('/') {
        return None;
    }
    let mut path = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' | '?' | '[' => return None,
            '\\' => path.extend(characters.next()),
            other => path.push(other),
        }
    }
    Some(path)
}

/// Which of `paths` are folders, seen from any of `roots`; none if that takes too long.
fn folders(paths: Vec<String>, roots: Vec<PathBuf>) -> Vec<String> {
    let (tell, told) = mpsc::channel();
    let look = move || {
        // Whoever waits for signals is another thread.
        let _ = SigSet::all().thread_block();
        // It may hang for longer than the injector takes to give up its own. It works with more as well.
        let _ = rights::keep(CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH);
        let is_folder = |path: &String| {
            let below = |root: &PathBuf| root.join(path.trim_start_matches('/'));
            let found = |path: &Path| fs::symlink_metadata(path).is_ok_and(|file| file.is_dir());
            roots.iter().any(|root| found(&below(root)))
        };
        // Nobody may be waiting any more.
        let _ = tell.send(paths.into_iter().filter(is_folder).collect());
    };
    // Without a thread there is no note.
    let _ = thread::Builder::new().name("injector-stat".into()).spawn(look);
    told.recv_timeout(PATIENCE).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        spec::{operation, syscall},
        syscalls::Machine,
    };

    #[test]
    fn a_folder_that_is_meant_by_itself_is_noted() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("srv/da ta")).unwrap();
        fs::write(root.path().join("srv/file"), "").unwrap();
        let told = |rules: &[Rule]| notes(rules, vec![root.path().into()]);
        let call = |paths: &str| syscall(&format!("openat:error=EIO{paths}"), Machine::HOST).unwrap();
        let io = |text: &str| operation(text).unwrap();
        for rule in [call(":path=/srv"), io("read:error=EIO:path=/srv"), call(":path=/x:path=/srv")] {
            let notes = told(std::slice::from_ref(&rule));
            assert_eq!(notes.len(), 1, "{}", rule.text);
            assert!(notes[0].contains("`path=/srv/**` means what is in it"), "{notes:?}");
        }
        assert_eq!(told(&[call(":path=/srv/da\\ ta")]).len(), 1);
        for rule in [
            call(""),
            call(":path=/srv/**"),
            call(":path=/srv:path=/srv/**"),
            call(":path=/srv/file"),
            call(":path=/srv/nothing"),
            call(":path=srv"),
            call(":path=/sr?"),
            io("mkdir,rmdir:error=EIO:path=/srv"),
        ] {
            assert_eq!(told(&[rule]), Vec::<String>::new());
        }
    }
}
