//! Prometheus' text format: the sum of all samples of a metric that have certain labels. Pure.
//!
//! ```text
//! http_requests_total{method="post",code="400"} 3 1395066363000
//! ```

use std::collections::BTreeMap;

use crate::experiment::failure::Failure;

/// Adds up what fits. A label that is not asked for may be anything.
pub(super) fn sum(page: &[u8], name: &str, labels: &BTreeMap<String, String>) -> Result<f64, Failure> {
    let page = str::from_utf8(page).map_err(|_| Failure::Protocol("metrics"))?;
    let mut sum = None;
    for line in page.lines().map(str::trim_start) {
        let Some(rest) = line.strip_prefix(name) else { continue };
        let (has, rest) = match rest.chars().next() {
            Some('{') => label_set(&rest[1..]).ok_or(Failure::Protocol("metrics"))?,
            Some(' ' | '\t') => (BTreeMap::new(), rest),
            // It is another metric, whose name is longer.
            _ => continue,
        };
        if labels.iter().all(|(label, wanted)| has.get(label.as_str()).map_or("", String::as_str) == wanted) {
            let value = rest.split_whitespace().next().and_then(|value| value.parse::<f64>().ok());
            *sum.get_or_insert(0.0) += value.ok_or(Failure::Protocol("metrics"))?;
        }
    }
    sum.ok_or(Failure::Absent("metric"))
}

/// Reads `a="x",b="y"}` and gives what is behind it.
fn label_set(text: &str) -> Option<(BTreeMap<&str, String>, &str)> {
    let mut labels = BTreeMap::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (label, behind) = rest.split_once('=')?;
        let (value, behind) = quoted(behind.trim_start().strip_prefix('"')?)?;
        labels.insert(label.trim(), value);
        rest = behind.trim_start();
        // The last one may have a comma behind it, too.
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
}

/// Reads up to the closing quote and gives what is behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match letters.next()? {
                (_, 'n') => '\n',
                (_, other) => other,
            }),
            other => value.push(other),
        }
    }
    None
}
