//! Every `injector …` line in a code block or an example is one that the program takes.

use clap::error::ErrorKind;
use injector::{spec, syscalls::Machine};
use regex::Regex;

use crate::{
    cli,
    documents::{documents, files, root},
};

const MACHINE: Machine = Machine::X86_64;

/// The code blocks of a document.
fn code(text: &str) -> String {
    text.split("\n```").skip(1).step_by(2).collect::<Vec<_>>().join("\n")
}

/// What follows `injector` in the lines of a shell, also behind `sudo` or in quotes for another command.
fn invocations(shell: &str) -> Vec<Vec<String>> {
    const END: [&str; 5] = ["|", "||", "&", "&&", ";"];
    let redirection = Regex::new(r"^\d*>").unwrap();
    let variable = Regex::new(r"\$\w+").unwrap();
    let mut found = Vec::new();
    for line in shell.replace("\\\n", " ").lines() {
        // What is no line of a shell, such as output with an apostrophe in it.
        let Some(words) = shlex::split(line.trim_start_matches("$ ")) else { continue };
        for quoted in words.iter().filter(|word| word.starts_with("injector ")) {
            found.extend(invocations(quoted));
        }
        let called = |word: &String| word == "injector" || word.ends_with("/injector");
        if let Some(at) = words.iter().position(called) {
            let rest = words[at + 1..]
                .iter()
                .take_while(|word| !END.contains(&word.as_str()) && !redirection.is_match(word));
            // A number will do wherever a variable stands.
            let words: Vec<_> = rest.map(|word| variable.replace_all(word, "1000").into_owned()).collect();
            // Alone it is a word for another program, such as `command -v`.
            if !words.is_empty() {
                found.push(words);
            }
        }
    }
    found
}

/// Parses a command line as the program does, without doing what it says.
fn check(words: &[String]) -> Result<(), String> {
    let all = ["injector"].into_iter().chain(words.iter().map(String::as_str));
    let matches = match cli::command().try_get_matches_from(all) {
        Ok(matches) => matches,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return Ok(());
        }
        Err(error) => return Err(error.to_string()),
    };
    let Some((verb @ ("run" | "attach" | "change" | "check"), matches)) = matches.subcommand() else {
        return Ok(());
    };
    let texts = |id: &str| matches.get_many::<String>(id).into_iter().flatten();
    let mut rules = Vec::new();
    rules.extend(texts("expression").map(|text| spec::expression(text, MACHINE)));
    if verb == "check" {
        rules.extend(texts("written").map(|text| spec::expression(text, MACHINE)));
    }
    if matches!(verb, "run" | "attach") {
        rules.extend(texts("prepare").map(|text| spec::expression(text, MACHINE)));
    }
    rules.extend(texts("syscall").map(|text| spec::syscall(text, MACHINE)));
    rules.extend(texts("net").map(|text| spec::net(text)));
    rules.extend(texts("io").map(|text| spec::operation(text)));
    rules.extend(texts("process").map(|text| spec::process(text)));
    if rules.is_empty() && (verb != "change" || !matches.contains_id("duration")) {
        return Err(format!("`{verb}` without a rule"));
    }
    rules.into_iter().collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    if verb == "check" {
        return Ok(());
    }
    match matches.get_one::<String>("duration").filter(|text| *text != "forever") {
        Some(text) => spec::units::duration(text).map(drop).map_err(|error| error.to_string()),
        None => Ok(()),
    }
}

/// Checks all of a text's lines, and says how many there were.
pub(crate) fn check_lines(text: &str) -> Result<usize, String> {
    let lines = invocations(text);
    lines.iter().try_for_each(|words| {
        check(words).map_err(|error| format!("injector {}: {error}", words.join(" ")))
    })?;
    Ok(lines.len())
}

#[test]
fn every_command_line_parses() {
    let blocks = documents().into_iter().map(|(path, text)| (path, code(&text)));
    let mut count = 0;
    for (path, text) in blocks.chain(files("examples", "sh")) {
        match check_lines(&text) {
            Ok(lines) => count += lines,
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
    assert!(count > 30, "only {count} command lines were found");
}

#[test]
fn what_is_wrong_is_found() {
    let wrong = |line: &str| check(&invocations(line)[0]).unwrap_err();
    assert!(wrong("injector run -e inject=fsnc:error=EIO -- true").contains("fsnc"));
    assert!(wrong("$ sudo injector attach --net 'los 10%' --cgroup x").contains("los"));
    assert!(wrong("begin \"injector attach -p $pid -e inject=read:error=EIO --for 5\"").contains("unit"));
    assert!(wrong("injector atach").contains("atach"));
    assert!(wrong("injector run -- true | cat").contains("without a rule"));
}

#[test]
fn every_verb_exists() {
    let named = |pattern: &str, text: &str| -> Vec<String> {
        let regex = Regex::new(pattern).unwrap();
        regex.captures_iter(text).map(|found| found[1].to_owned()).collect()
    };
    for (path, text) in documents() {
        for verb in named("`injector ([a-z]+)", &text) {
            assert!(cli::command().find_subcommand(&verb).is_some(), "{}: injector {verb}", path.display());
        }
        for verb in named("cargo xtask ([a-z]+)", &text) {
            let file = root().join("xtask/src").join(&verb);
            let there = file.with_extension("rs").exists() || file.join("mod.rs").exists();
            assert!(there, "{}: cargo xtask {verb}", path.display());
        }
    }
}
