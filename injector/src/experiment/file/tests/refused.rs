//! Bad files: each of `refused.txt` with its exact messages. `INJECTOR_BLESS=1` writes down what is said now, to be read
//! in the diff.

use std::fmt::Write as _;

use crate::experiment::file::{self, Given};

const TABLE: &str = include_str!("refused.txt");

/// What each file begins with, unless it begins with `!`.
const HEAD: &str = "injector: 1\ntitle: t\n";

fn told(text: &str) -> String {
    let whole = text.strip_prefix("!\n").map_or_else(|| HEAD.to_owned() + text, str::to_owned);
    match file::read("x.yaml", &whole, &Given::default()) {
        Ok(_) => "it is read".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_bad_file_is_refused_in_these_words() {
    let mut actual = String::new();
    let mut count = 0;
    for case in TABLE.split("=== ").skip(1) {
        let (name, rest) = case.split_once('\n').unwrap();
        let (text, _) = rest.split_once("~~~\n").unwrap();
        let told = told(text);
        write!(actual, "=== {name}\n{text}~~~\n{told}\n").unwrap();
        count += 1;
    }
    assert!(count >= 60, "{count}");
    if std::env::var_os("INJECTOR_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/experiment/file/tests/refused.txt");
        std::fs::write(path, &actual).unwrap();
        return;
    }
    assert!(!actual.contains("\nit is read\n") && !actual.contains("\nhint: \n"));
    for (actual, expected) in actual.split("=== ").zip(TABLE.split("=== ")) {
        assert_eq!(actual, expected);
    }
}
