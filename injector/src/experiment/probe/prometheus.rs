//! Instant queries to a Prometheus server: the URL of one, and the number of its answer. Pure.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;

use crate::experiment::failure::Failure;

/// Where a query is asked; `base` is that of the server, with whatever path it is behind.
pub(super) fn url(base: &str, query: &str) -> String {
    let mut url = format!("{}/api/v1/query?query=", base.trim_end_matches('/'));
    for byte in query.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => url.push(byte.into()),
            // It never fails on a String.
            _ => _ = write!(url, "%{byte:02X}"),
        }
    }
    url
}

#[derive(Deserialize)]
struct Response {
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Value,
}

/// The one number of an answer. That of an empty vector is none: nothing is known then.
pub(super) fn number(body: &[u8]) -> Result<f64, Failure> {
    let response: Response = serde_json::from_slice(body).map_err(|_| Failure::Protocol("Prometheus"))?;
    let Data { result_type, result } = response.data;
    // A time, and a number as text.
    let pair = match (result_type.as_str(), result.as_array().map(Vec::as_slice)) {
        ("scalar", _) => &result,
        ("vector", Some([only])) => &only["value"],
        ("vector", Some([_, ..])) => return Err(Failure::SeveralNumbers),
        _ => return Err(Failure::NoNumber),
    };
    pair[1].as_str().and_then(|text| text.parse().ok()).ok_or(Failure::NoNumber)
}
