//! Files that would take long are refused at once.

use std::{fmt::Write as _, time::Duration};

use nix::time::{ClockId, clock_gettime};

use crate::experiment::file::{self, FileError, Given};

/// What this thread has had of a processor: others may have more to do.
fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

fn refused(text: &str) -> FileError {
    let begun = now();
    let Err(error) = file::read("x.yaml", text, &Given::default()) else { panic!("it was read") };
    let taken = now().checked_sub(begun).unwrap();
    assert!(taken < Duration::from_secs(1), "{taken:?}");
    error
}

fn message(text: &str) -> String {
    refused(text).problems()[0].message()
}

#[test]
fn a_long_file() {
    let long = format!("injector: 1\ntitle: t\ndescription: {}\n", "x ".repeat(5_000_000));
    assert_eq!(message(&long), "the file is longer than 1024 KiB");
    let many = format!("injector: 1\ntitle: t\ntags: [{}]\n", "a, ".repeat(60_000));
    assert_eq!(message(&many), "this is more than an experiment may have");
}

#[test]
fn a_deep_file() {
    for bracket in ["[", "{a: ", "- "] {
        let error = refused(&format!("injector: 1\ntitle: t\ntags: {}", bracket.repeat(100_000)));
        assert!(error.to_string().len() < 2000, "{error}");
    }
    assert!(refused(&"[".repeat(100_000)).to_string().len() < 2000);
}

#[test]
fn an_alias_bomb() {
    let mut text = "injector: 1\ntitle: t\nroles: {a0: &a0 x}\nmethod:\n".to_owned();
    text.push_str("  - &s0 {wait: 1s}\n");
    for level in 1..12 {
        let inside = vec![format!("*s{}", level - 1); 9].join(", ");
        writeln!(text, "  - &s{level} {{parallel: [{inside}]}}").unwrap();
    }
    assert_eq!(message(&text), "this is more than an experiment may have");
}
