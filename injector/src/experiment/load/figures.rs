//! Lines that tools print for each request, as what a sample needs of them. Pure.
//!
//! `vegeta encode --to json` has a result a line, whose `timestamp` is when the request began. `k6 run --out json=-` has
//! points of all its metrics; of these `http_req_duration` is meant, whose `time` is when the request ended.

use std::time::Duration;

use chrono::DateTime;
use regex::bytes::Regex;
use serde::Deserialize;

use crate::{
    experiment::{failure::Ending, model::Figures},
    spec::units,
};

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    /// When the operation began, nanoseconds since 1970.
    pub(super) began: Option<u64>,
    /// How long it took.
    pub(super) latency: Duration,
    /// The status, or what failed.
    pub(super) result: Result<Option<u16>, String>,
}

/// Reads a line. None: it says nothing of an operation.
pub(super) fn read(figures: &Figures, line: &[u8]) -> Option<Figure> {
    match figures {
        Figures::Vegeta => vegeta(line),
        Figures::K6 => k6(line),
        Figures::Lines(pattern) => by_pattern(pattern, line),
    }
}

#[derive(Deserialize)]
struct VegetaResult {
    code: u16,
    timestamp: String,
    /// Nanoseconds.
    latency: u64,
    #[serde(default)]
    error: String,
}

fn vegeta(line: &[u8]) -> Option<Figure> {
    let result: VegetaResult = serde_json::from_slice(line).ok()?;
    Some(Figure {
        began: Some(since_1970(&result.timestamp)?),
        latency: Duration::from_nanos(result.latency),
        // It has an error as well when the status is one of failure.
        result: if result.code == 0 { Err(reason(&result.error)) } else { Ok(Some(result.code)) },
    })
}

#[derive(Deserialize)]
struct K6Point {
    metric: String,
    data: K6Data,
}

#[derive(Deserialize)]
struct K6Data {
    time: String,
    /// Milliseconds.
    value: f64,
    #[serde(default)]
    tags: K6Tags,
}

#[derive(Default, Deserialize)]
struct K6Tags {
    #[serde(default)]
    status: String,
    #[serde(default)]
    error: String,
    expected_response: Option<String>,
}

fn k6(line: &[u8]) -> Option<Figure> {
    let point: K6Point = serde_json::from_slice(line).ok()?;
    if point.metric != "http_req_duration" {
        return None;
    }
    let latency = Duration::try_from_secs_f64(point.data.value / 1e3).ok()?;
    let tags = point.data.tags;
    let result = match (tags.status.parse(), tags.expected_response.as_deref()) {
        (Err(_) | Ok(0), _) => Err(reason(&tags.error)),
        // The script says which statuses are good.
        (Ok(_), Some("true")) => Ok(None),
        (Ok(status), Some(_)) => Err(Ending::Http(status).to_string()),
        (Ok(status), None) => Ok(Some(status)),
    };
    let ended = since_1970(&point.data.time)?;
    Some(Figure { began: Some(ended.saturating_sub(crate::clock::nanoseconds(latency))), latency, result })
}

fn by_pattern(pattern: &Regex, line: &[u8]) -> Option<Figure> {
    let groups = pattern.captures(line)?;
    let group = |name| groups.name(name).and_then(|group| str::from_utf8(group.as_bytes()).ok());
    let latency = match group("latency") {
        Some(text) => time(text)?,
        None => Duration::ZERO,
    };
    let began = match group("time") {
        Some(text) => Some(since_1970(text)?),
        None => None,
    };
    let asked = pattern.capture_names().flatten().any(|name| name == "ok");
    let good = !asked || group("ok").is_some_and(says_yes);
    Some(Figure { began, latency, result: if good { Ok(None) } else { Err("failed".to_owned()) } })
}

/// Seconds, or with a unit.
fn time(text: &str) -> Option<Duration> {
    match text.parse() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => units::duration(text).ok(),
    }
}

fn says_yes(text: &str) -> bool {
    !["", "0", "false", "no", "fail", "failed", "failure", "err", "error", "ko"]
        .contains(&text.to_ascii_lowercase().as_str())
}

/// RFC 3339, or seconds since 1970.
fn since_1970(text: &str) -> Option<u64> {
    if let Ok(seconds) = text.parse() {
        return Duration::try_from_secs_f64(seconds).ok().map(crate::clock::nanoseconds);
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    time.timestamp_nanos_opt().and_then(|nanoseconds| u64::try_from(nanoseconds).ok())
}

/// The errors of Go's libraries have addresses and ports in them; here equal causes have equal words.
fn reason(error: &str) -> String {
    let known = [
        ("connection refused", "connection refused"),
        ("connection reset", "connection reset"),
        ("broken pipe", "connection reset"),
        ("no such host", "name not found"),
        ("timeout", "timeout"),
        ("deadline exceeded", "timeout"),
        ("no route to host", "no route to host"),
        ("EOF", "connection closed"),
    ];
    let found = known.iter().find(|(part, _)| error.contains(part));
    found.map_or("failed", |(_, reason)| reason).to_owned()
}
