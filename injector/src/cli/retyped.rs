//! The command line once more, with another rule in place of one that this kernel cannot have.

use std::ffi::OsString;

use injector::plan::Instead;

/// What an injector in the background is given in place of `--detach`.
pub(super) const DETACHED: &str = "--ready-fd=1";

/// The options that take a rule.
const OPTIONS: [&str; 6] = ["-e", "--expression", "--syscall", "--net", "--io", "--process"];

/// `words` with `instead` in place of `rule`, as a shell takes them; `None` if no option of theirs has that rule.
pub(super) fn with(words: impl Iterator<Item = OsString>, rule: &str, instead: &Instead) -> Option<String> {
    let words: Vec<_> = words.skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let apart = |at: &usize| *at > 0 && words[*at] == rule && OPTIONS.contains(&words[at - 1].as_str());
    let joined = |at: &usize| {
        OPTIONS.iter().any(|option| {
            let value = words[*at].strip_prefix(option).map(|value| value.strip_prefix('=').unwrap_or(value));
            value == Some(rule)
        })
    };
    let replaced = match ((0..end).find(apart), (0..end).find(joined)) {
        (Some(at), _) => at - 1..at + 1,
        (None, Some(at)) => at..at + 1,
        (None, None) => return None,
    };
    let before = words[..replaced.start].iter().map(String::as_str);
    let behind = words[replaced.end..].iter().map(String::as_str);
    let all = before.chain([instead.option, instead.rule.as_str()]).chain(behind);
    let all = all.map(|word| if word == DETACHED { "--detach" } else { word });
    let quoted = all.map(shlex::try_quote).collect::<Result<Vec<_>, _>>().ok()?;
    Some(format!("injector {}", quoted.join(" ")))
}
