//! The word that says of which kind a rule is, as strace's qualifiers do: needed behind `-e`, and left out behind the
//! options that take one kind of rules only.

use crate::{
    operations,
    spec::{
        error::Located,
        nearest::Near,
        problem::QualifierProblem,
        vocabulary::{MATCH_WORDS, is_fault},
        word::Word,
    },
    syscalls::{self, Machine},
};

/// What a rule behind `-e` begins with, before its first `=`.
pub(super) const QUALIFIERS: [&str; 5] = ["inject", "fault", "net", "io", "process"];

/// The text behind an option that takes one kind of rules.
pub(super) fn unqualified(text: &str) -> Result<Word<'_>, Located> {
    let whole = Word::whole(text);
    match whole.split_once("=") {
        Some((word, _)) if QUALIFIERS.contains(&word.text) => {
            Err(word.problem(QualifierProblem::Qualified(word.text.into())))
        }
        _ => Ok(whole),
    }
}

/// Of which kind a rule without a qualifier seems to be.
pub(super) fn kind(rule: Word<'_>, machine: Machine) -> Option<&'static str> {
    let (set, _) = rule.split_once(":")?;
    let first = rule.text.split_whitespace().next()?;
    // There are calls of these names as well.
    if set.text == "pause" && !rule.text.contains("error=") || first == "kill" {
        return Some("process");
    }
    let each = |is: &dyn Fn(&str) -> bool| set.text.split(',').all(is);
    if each(&|name| name.starts_with('%') || syscalls::all(machine).any(|call| call.name == name)) {
        return Some("inject");
    }
    if each(&|name| operations::get(name).is_some()) {
        return Some("io");
    }
    (MATCH_WORDS.contains(&first) || is_fault(first)).then_some("net")
}

/// A word that stands inside a rule, given as if it were one.
pub(super) fn part_of_a_rule(text: &str, word: &str) -> Option<Near> {
    const WORDS: [&str; 8] = ["at", "comm", "error", "on", "prob", "scope", "times", "when"];
    if !WORDS.contains(&word) {
        return None;
    }
    let example = if word == "error" {
        format!("inject=fsync:{text}")
    } else {
        format!("inject=fsync:error=EIO:{text}")
    };
    Some(Near::Otherwise(format!("write it inside a rule, as in `{example}`").into()))
}
