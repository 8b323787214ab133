//! The SET of a rule on system calls: strace's `[!]value[,value]` (src/basic_filters.c, strace 7.2).
//!
//! A value is a name, a number, `%class` (or one of the old class words without the `%`), or `/regex`,
//! behind any `?` that let it match nothing and before an `@abi` that keeps it to one ABI. `all` and
//! `none` stand alone. Without an `@abi` a value means all ABIs of the machine.

use std::collections::BTreeSet;

use regex::RegexBuilder;

use crate::{
    spec::{
        error::Located,
        familiar,
        nearest::{Near, nearest},
        problem::CallSetProblem,
        word::Word,
    },
    syscalls::{self, Abi, Call, Entry, Machine},
};

/// Class words that strace knows without `%` from old times. (`all` is one too.)
const OLD_CLASSES: [&str; 7] = ["desc", "file", "memory", "process", "signal", "ipc", "network"];

/// A regular expression may take this much memory when compiled; names are short, so is their pattern.
const PATTERN_LIMIT: usize = 1 << 20;

/// The calls of a set.
#[derive(Debug, Default)]
pub(super) struct CallSet {
    /// All of them.
    pub(super) calls: BTreeSet<Call>,
    /// Those that were named one by one.
    pub(super) named: BTreeSet<Call>,
    /// Numbers without an ABI.
    pub(super) numbers: BTreeSet<u32>,
}

/// Reads a set; one without any call is an error.
pub(super) fn parse(set: Word<'_>, machine: Machine) -> Result<CallSet, Located> {
    let values = set.trim_start_matches(|c| c == '!');
    let inverted = (set.text.len() - values.text.len()) % 2 == 1;
    let mut chosen = CallSet::default();
    match values.text {
        "none" => {}
        "all" => chosen.calls = implemented(machine),
        "" => return Err(set.problem(CallSetProblem::NoSet)),
        // strace overlooks an empty value; here it may be a name that a script failed to put there.
        _ => {
            for value in values.whole_pieces("fsync,fdatasync")? {
                add(value, machine, &mut chosen)?;
            }
        }
    }
    if inverted {
        let all = implemented(machine);
        chosen = CallSet { calls: &all - &chosen.calls, ..CallSet::default() };
    }
    if chosen.calls.is_empty() {
        return Err(set.problem(CallSetProblem::EmptySet(set.text.into())));
    }
    Ok(chosen)
}

/// Every call that the kernel has a function for.
fn implemented(machine: Machine) -> BTreeSet<Call> {
    syscalls::all(machine).filter(|entry| entry.is_implemented()).map(|entry| entry.call).collect()
}

/// Adds what one value of the list means.
fn add(value: Word<'_>, machine: Machine, chosen: &mut CallSet) -> Result<(), Located> {
    let plain = value.trim_start_matches(|c| c == '?');
    let optional = plain.text.len() < value.text.len();
    let (what, abis) = match plain.rsplit_once("@") {
        None => (plain, machine.abis()),
        Some((what, designator)) => (what, abi(plain, designator.text, machine)?),
    };
    let found = Found::read(what, machine)?;
    let calls = found.within(abis);
    if calls.is_empty() && !optional {
        return Err(nothing(what, plain, machine, &found));
    }
    if abis.len() > 1 {
        chosen.numbers.extend(what.decimal::<u32>());
    }
    if found.named {
        chosen.named.extend(&calls);
    }
    chosen.calls.extend(calls);
    Ok(())
}

/// The ABI behind the `@` of `value`.
fn abi(value: Word<'_>, designator: &str, machine: Machine) -> Result<&'static [Abi], Located> {
    let abis = machine.abis();
    let found = abis.iter().position(|abi| abi.designator() == designator);
    found.map(|at| &abis[at..=at]).ok_or_else(|| {
        let known: Vec<_> = abis.iter().map(|abi| format!("`@{}`", abi.designator())).collect();
        let known = known.join(" or ");
        value.problem(CallSetProblem::UnknownAbi { word: format!("@{designator}"), known })
    })
}

/// What a value stands for, before it is kept to its ABIs.
struct Found {
    entries: Vec<&'static Entry>,
    /// By its own name or number, not as part of a class or a pattern.
    named: bool,
}

impl Found {
    fn read(what: Word<'_>, machine: Machine) -> Result<Self, Located> {
        let choose = |named: bool, holds: &dyn Fn(&Entry) -> bool| {
            Ok(Self { entries: syscalls::all(machine).filter(|entry| holds(entry)).collect(), named })
        };
        if let Some(pattern) = what.strip_prefix("/") {
            let regex =
                RegexBuilder::new(pattern.text).size_limit(PATTERN_LIMIT).build().map_err(|error| {
                    // The crate's own text draws the pattern over several lines; its last one is the cause.
                    let cause = error.to_string();
                    let cause =
                        cause.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                    pattern.problem(CallSetProblem::Pattern { pattern: pattern.text.into(), cause })
                })?;
            return choose(false, &|entry| regex.is_match(entry.name));
        }
        if what.text.starts_with(|c: char| c.is_ascii_digit()) {
            let number = what.decimal::<u32>();
            return choose(true, &|entry| number == Some(entry.call.number & !Abi::X32_BIT));
        }
        // Classes are found in any case, names are not, as in strace.
        let class = what.text.to_ascii_lowercase();
        if class == "all" {
            return choose(false, &|_| true);
        }
        if let Some(class) = class.strip_prefix('%') {
            return choose(false, &|entry| entry.is_in(class));
        }
        if OLD_CLASSES.contains(&class.as_str()) {
            return choose(false, &|entry| entry.is_in(&class));
        }
        choose(true, &|entry| entry.name == what.text)
    }

    /// The calls that the kernel has a function for, of these ABIs.
    fn within(&self, abis: &[Abi]) -> BTreeSet<Call> {
        let of_abi = self.entries.iter().filter(|entry| abis.contains(&entry.call.abi));
        of_abi.filter(|entry| entry.is_implemented()).map(|entry| entry.call).collect()
    }
}

/// Why a value yields no call: it is unknown, or it is not there under that ABI, or the kernel has no
/// function for it.
fn nothing(what: Word<'_>, with_abi: Word<'_>, machine: Machine, found: &Found) -> Located {
    if let Some(pattern) = what.strip_prefix("/") {
        return with_abi.problem(CallSetProblem::NothingMatches(pattern.text.into()));
    }
    if found.entries.iter().any(|entry| entry.is_implemented()) {
        let abis = machine.abis().iter().filter(|abi| !found.within(&[**abi]).is_empty());
        let others: Vec<_> = abis.map(|abi| format!("`{}@{}`", what.text, abi.designator())).collect();
        let abi = with_abi.text.rsplit('@').next().unwrap_or_default().to_owned();
        return with_abi.problem(CallSetProblem::NotInAbi {
            name: what.text.into(),
            abi,
            others: others.join(", "),
        });
    }
    if !found.entries.is_empty() {
        return what.problem(CallSetProblem::NotImplemented(what.text.into()));
    }
    match what.text {
        "" => with_abi.problem(CallSetProblem::NoSet),
        "none" => what.problem(CallSetProblem::WholeSet { word: what.text.into() }),
        text if text.starts_with('!') => what.problem(CallSetProblem::WholeSet { word: text.into() }),
        text if text.starts_with(|c: char| c.is_ascii_digit()) => {
            what.problem(CallSetProblem::UnknownNumber(text.into()))
        }
        text if text.starts_with('%') => {
            let known = syscalls::classes();
            let near = nearest(&text[1..], known).map(|near| format!("%{near}"));
            what.problem(CallSetProblem::UnknownClass { word: text.into(), near })
        }
        text => {
            let names = || syscalls::all(machine).map(|entry| entry.name);
            let near = familiar::call(text)
                .or_else(|| familiar::call_written_otherwise(text, |name| names().any(|known| known == name)))
                .or_else(|| nearest(text, names()).map(Near::from));
            what.problem(CallSetProblem::UnknownCall { word: text.into(), near })
        }
    }
}
