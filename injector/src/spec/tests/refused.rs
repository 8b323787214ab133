//! Bad input: each text of `refused.tsv` with its exact message, hint and caret.

use crate::spec::{tests::read, units::duration};

#[test]
fn every_bad_rule_is_refused_in_these_words() {
    let mut wrong = Vec::new();
    let lines = include_str!("refused.tsv").lines().filter(|line| !line.starts_with('#'));
    for line in lines.clone() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [grammar, text, message, hint, marked] = columns[..] else { panic!("{line}") };
        let Err(error) = read(grammar, text) else {
            wrong.push(format!("accepted: {grammar} {text}"));
            continue;
        };
        let found = [error.to_string(), error.hint(), error.text()[error.span()].to_owned()];
        if found != [format!("rule `{text}`: {message}"), hint.to_owned(), marked.to_owned()] {
            wrong.push(format!("{text}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(lines.count() >= 500);
}

#[test]
fn an_empty_text_is_refused() {
    for (grammar, text) in [("-e", ""), ("syscall", ""), ("net", ""), ("net", " \t ")] {
        assert!(read(grammar, text).is_err(), "{grammar} {text:?}");
    }
}

#[test]
fn the_caret_stands_below_the_word() {
    let error = read("-e", "inject=fsync:error=EIOO:when=3").unwrap_err();
    assert_eq!(
        error.caret().to_string(),
        "inject=fsync:error=EIOO:when=3\n\
         \x20                  ^^^^"
    );
    let error = read("syscall", "é\t,read:error=5").unwrap_err();
    assert_eq!(error.caret().to_string(), "é ,read:error=5\n^^");
    let error = read("-e", "inject=").unwrap_err();
    assert_eq!(error.caret().to_string(), "inject=\n       ^");
}

#[test]
fn a_duration_names_its_unit() {
    let refused = |text: &str| {
        let error = duration(text).unwrap_err();
        (error.to_string(), error.hint())
    };
    assert_eq!(
        refused("30"),
        ("duration `30`: it has no unit".into(), "write `30s` for seconds, `30ms` for milliseconds".into())
    );
    for zero in ["0", "0s", "0h 0m"] {
        let hint = "write a time above zero, such as `30s`, or leave the option out";
        assert_eq!(refused(zero), (format!("duration `{zero}`: it is zero"), hint.into()));
    }
    let example = "write a number with its unit, such as `30s`, `250ms` or `1h30m`";
    for text in ["", "soon", "-3s", "3 parsecs", "99999999999999999999s"] {
        assert_eq!(refused(text), (format!("duration `{text}`: it is not a duration"), example.into()));
    }
}
