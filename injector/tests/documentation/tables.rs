//! What documents list is what the program has: hooks, dangerous calls, classes, fields of the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use injector::{
    kernel::syscall::hook,
    operations,
    syscalls::{self, Abi, Machine, Safety},
};
use regex::Regex;

use crate::root;

fn document(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// Words in backticks.
fn quoted(text: &str) -> Vec<String> {
    let regex = Regex::new("`([^`]+)`").unwrap();
    regex.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// The cells of all rows that begin with a word in backticks.
fn rows(text: &str) -> Vec<Vec<String>> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// Pairs of a word of the first cell and the second cell.
fn pairs(text: &str) -> BTreeSet<(String, String)> {
    let pair = |cells: Vec<String>| {
        let second = cells[1].clone();
        quoted(&cells[0]).into_iter().map(move |word| (word, second.clone()))
    };
    rows(text).into_iter().flat_map(pair).collect()
}

/// The document and the program say the same.
fn agree(name: &str, known: impl Iterator<Item = (String, String)>) {
    let (told, known) = (pairs(&document(name)), known.collect::<BTreeSet<_>>());
    let lacking: Vec<_> = known.difference(&told).collect();
    let surplus: Vec<_> = told.difference(&known).collect();
    assert!(lacking.is_empty() && surplus.is_empty(), "docs/{name} lacks {lacking:#?} and has {surplus:#?}");
}

#[test]
fn hooks() {
    let code = |hooks: &str| {
        let hook =
            |names: &str| names.split('|').map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
        hooks.split(' ').map(hook).collect::<Vec<_>>().join(" ")
    };
    agree("hooks.md", hook::table().map(|(call, hooks)| (call.to_owned(), code(hooks))));
}

#[test]
fn operations_with_their_hooks_and_words() {
    let known = operations::TABLE.iter().map(|operation| {
        let hooks: Vec<_> = operation.hooks.iter().map(|(hook, _)| format!("`{hook}`")).collect();
        (operation.name.to_owned(), hooks.join(" "))
    });
    agree("io.md", known);
    for cells in rows(&document("io.md")) {
        let operation = operations::get(&quoted(&cells[0])[0]).unwrap();
        assert_eq!(cells[2], operation.covers, "{operation}");
        assert_eq!(quoted(&cells[3]), operation.object.words(), "{operation}");
    }
}

#[test]
fn calls_that_must_not_fail_with_their_reasons() {
    let known = syscalls::all(Machine::X86_64).filter_map(|entry| match entry.safety(false) {
        Safety::Never(why) | Safety::Dangerous(why) => Some((entry.name.to_owned(), why.to_owned())),
        Safety::Free => None,
    });
    agree("safety.md", known);
}

/// docs/syscalls.md as it has to be. Written anew with INJECTOR_UPDATE_DOCS=1.
#[test]
fn system_calls_with_their_arguments() {
    let mut lines: Vec<String> = include_str!("syscalls.md").lines().map(str::to_owned).collect();
    let hooks: BTreeMap<_, _> = hook::table().collect();
    let native = |abi| syscalls::all(Machine::X86_64).filter(move |entry| entry.call.abi == abi);
    let names = native(Abi::X86_64)
        .chain(native(Abi::I386))
        .filter(|entry| entry.is_implemented())
        .map(|entry| entry.name);
    for name in names.collect::<BTreeSet<_>>() {
        let of = |abi| native(abi).find(|entry| entry.name == name && entry.is_implemented());
        let number = |abi| of(abi).map_or_else(String::new, |entry| entry.call.number.to_string());
        let entry = of(Abi::X86_64).or_else(|| of(Abi::I386)).unwrap();
        let arguments: Vec<_> = entry.parameters.iter().map(|parameter| parameter.name).collect();
        let safety = match entry.safety(false) {
            Safety::Free => "",
            Safety::Dangerous(_) => "with `--unsafe`",
            Safety::Never(_) => "never",
        };
        let hook = if hooks.contains_key(name) { "yes" } else { "" };
        lines.push(format!(
            "| `{name}` | {} | {} | {} | {hook} | {safety} |",
            number(Abi::X86_64),
            number(Abi::I386),
            arguments.join(" ")
        ));
    }
    let text = lines.join("\n") + "\n";
    let path = root().join("docs/syscalls.md");
    if std::env::var_os("INJECTOR_UPDATE_DOCS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "docs/syscalls.md is old: run the tests once with INJECTOR_UPDATE_DOCS=1");
}

#[test]
fn classes() {
    let text = document("rules.md");
    let all: Vec<_> = text.lines().filter(|line| line.starts_with('|')).flat_map(quoted).collect();
    // A `%` alone is one of a percentage.
    let told = all.iter().filter_map(|word| word.strip_prefix('%')).filter(|class| !class.is_empty());
    assert_eq!(told.collect::<BTreeSet<_>>(), syscalls::classes());
}

/// The fields of the types in a source file, as they are called in JSON.
fn fields(source: &str) -> BTreeSet<String> {
    let source = fs::read_to_string(root().join("injector/src").join(source)).unwrap();
    let field = Regex::new(r"^ +(?:pub )?(\w+): .+,$").unwrap();
    let renamed = Regex::new(r#"rename = "(\w+)""#).unwrap();
    let (mut found, mut within, mut attributes) = (BTreeSet::new(), false, String::new());
    for line in source.lines() {
        match line {
            "}" => within = false,
            _ if line.starts_with("pub struct ") || line.starts_with("pub enum ") => within = true,
            _ if within && line.trim_start().starts_with("#[serde(") => line.clone_into(&mut attributes),
            _ if within && field.is_match(line) => {
                let own = &field.captures(line).unwrap()[1];
                let name = renamed.captures(&attributes).map_or(own, |other| other.get(1).unwrap().as_str());
                // What is flattened has its fields beside it, and they come by themselves.
                if !attributes.contains("serde(skip)") && !attributes.contains("flatten") {
                    found.insert(name.to_owned());
                }
                attributes.clear();
            }
            _ => {}
        }
    }
    found
}

#[test]
fn fields_of_the_log_and_of_the_report() {
    let told: BTreeSet<_> = pairs(&document("log.md")).into_iter().map(|(field, _)| field).collect();
    let mut known = fields("engine/events.rs");
    assert!(known.contains("return") && known.contains("source_port"));
    known.extend(fields("engine/object.rs"));
    known.extend(fields("engine/report.rs"));
    let missing: Vec<_> = known.difference(&told).collect();
    // The object that a packet's fields are in is told of in the text.
    assert_eq!(missing, ["packet"], "not in docs/log.md");
}
