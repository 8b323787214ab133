//! The checkout's documents, for the tests of the documentation and for those of the command line.

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The files of a folder of the checkout, by their extension, with their texts.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<(PathBuf, String)> {
    let paths = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    paths.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// All documents for people.
pub(crate) fn documents() -> Vec<(PathBuf, String)> {
    let mut all = files("", "md");
    all.extend(files("docs", "md"));
    all
}
