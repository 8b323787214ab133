//! The tables against the documents, and the commands against the program.

use std::{collections::BTreeSet, fs};

use regex::Regex;

use super::{Entry, Topic, page, text};
use crate::{
    cli::{
        command,
        examples::{self, Example},
        help::SUBCOMMANDS,
    },
    commands::check_lines,
    documents::root,
};

/// The words with which entries begin: `error=`, `dport`, `%file`.
fn words<'a>(written: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let word = Regex::new("^(?:not |kill )?[%@/!?]?[a-z_]+=?").unwrap();
    written.filter_map(|text| Some(word.find(text)?.as_str().to_owned())).collect()
}

fn of_manual(topics: &[Topic]) -> BTreeSet<String> {
    let entries: Vec<Entry> =
        topics.iter().flat_map(|topic| topic.sections()).flat_map(|section| section.entries).collect();
    words(entries.iter().flat_map(|entry| entry.written.split(' ').take(1).chain([entry.written])))
}

#[test]
fn the_manual_has_the_words_of_the_documents() {
    let document = fs::read_to_string(root().join("docs/rules.md")).unwrap();
    let parts: Vec<_> = ["## System calls", "## Processes", "## Packets", "## Differences from strace"]
        .windows(2)
        .map(|ends| {
            let start = document.find(ends[0]).unwrap();
            &document[start..document.find(ends[1]).unwrap()]
        })
        .collect();
    let quoted = Regex::new("`([^`]+)`").unwrap();
    for (part, topics) in parts.iter().zip([[Topic::Rules], [Topic::Rules], [Topic::Net]]) {
        let rows = part.lines().filter(|line| line.starts_with("| `"));
        // Reasons in the report are no words of a rule.
        let firsts = rows.map(|row| row.split(" | ").next().unwrap()).filter(|cell| !cell.contains("no-"));
        let told: Vec<_> = firsts.flat_map(|cell| quoted.captures_iter(cell)).collect();
        let told = words(told.iter().map(|found| found.get(1).unwrap().as_str()));
        let known = of_manual(&topics);
        let reasons =
            ["expired", "paused", "when", "prob", "overruled", "times", "monitored", "cannot", "no"];
        let lacking: Vec<_> =
            told.difference(&known).filter(|word| !reasons.contains(&word.as_str())).collect();
        assert!(told.len() > 5, "{told:?}");
        assert!(lacking.is_empty(), "injector help {} lacks {lacking:?}", topics[0].name());
    }
}

#[test]
fn every_command_is_one_that_the_program_takes() {
    let mut count = 0;
    for command in Topic::ALL.iter().flat_map(|topic| topic.sections()).flat_map(|section| section.commands) {
        count += check_lines(command).unwrap();
    }
    for Example { command, .. } in SUBCOMMANDS.iter().chain([&""]).flat_map(|name| examples::of(name)) {
        count += check_lines(command).unwrap();
    }
    assert!(count > 60, "only {count}");
}

#[test]
fn every_subcommand_has_an_example_but_those_without_options() {
    let without: Vec<_> = SUBCOMMANDS.into_iter().filter(|name| examples::of(name).is_empty()).collect();
    assert_eq!(without, ["recover"]);
}

#[test]
fn a_topic_and_the_page_say_the_same() {
    let (_, page) = page::rules(&command());
    let page = String::from_utf8(page).unwrap().replace("\\-", "-").replace("\\*(Aq", "'");
    for topic in Topic::ALL {
        let text = text::of(topic);
        for entry in topic.sections().iter().flat_map(|section| &section.entries) {
            assert!(text.contains(entry.written), "{}", entry.written);
            assert!(page.contains(entry.written), "{}", entry.written);
        }
    }
    assert!(page.starts_with(".ie") && page.contains(".TH injector-rules 7"), "{page}");
}

#[test]
fn there_is_a_page_for_each_subcommand() {
    let pages = page::all(&command()).unwrap();
    let names: BTreeSet<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), SUBCOMMANDS.len() + 2);
    assert!(names.contains("injector.1") && names.contains("injector-run.1"), "{names:?}");
    let run = pages.iter().find(|(name, _)| name == "injector-run.1").unwrap();
    let run = String::from_utf8_lossy(&run.1).replace("\\-", "-");
    let (rules, plan) = (run.find(".SH RULES").unwrap(), run.find(".SH PLAN").unwrap());
    assert!(rules < plan && run.contains(".SH EXAMPLES") && run.contains("injector-rules(7)"), "{run}");
}
