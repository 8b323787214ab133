//! The documentation against the program: command lines in code blocks are parsed, with the rules in
//! them, links are followed, and tables are compared with those that the program works with.
#![expect(clippy::unwrap_used, reason = "documentation that cannot be read is a failed test")]

mod commands;
mod links;
mod tables;

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The files of a folder of the checkout, by their extension, with their texts.
fn files(folder: &str, extension: &str) -> Vec<(PathBuf, String)> {
    let paths = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    paths.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// All documents for people.
fn documents() -> Vec<(PathBuf, String)> {
    let mut all = files("", "md");
    all.extend(files("docs", "md"));
    all
}
