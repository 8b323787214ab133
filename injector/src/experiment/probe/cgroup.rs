//! The files of a cgroup: a number, or lines of `KEY NUMBER` (Documentation/admin-guide/cgroup-v2.rst). Pure.

use crate::experiment::{answer::Answer, failure::Failure};

/// What a file's text says, of one key if it has several.
pub(super) fn answer(text: &[u8], key: Option<&str>) -> Result<Answer, Failure> {
    let text = String::from_utf8_lossy(text);
    let text = match key {
        None => text.trim(),
        Some(key) => text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
            .ok_or(Failure::Absent("key"))?
            .trim(),
    };
    Ok(Answer { natural: text.parse().ok(), ..Answer::plain(text) })
}
