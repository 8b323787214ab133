//! The documentation against the program: links are followed, and tables are compared with those that
//! the program works with. Command lines (`commands`) are parsed by the tests of the program, whose module `cli` is.
#![expect(clippy::unwrap_used, reason = "documentation that cannot be read is a failed test")]

mod documents;
#[cfg(feature = "experiment")]
mod keys;
mod links;
mod tables;

use self::documents::{documents, root};
