//! Tables: what is expected of an answer, and its number.

use std::time::Duration;

use super::*;
use crate::experiment::{
    failure::Failure,
    model::{Expect, JsonExpect, ValueOf},
};

fn http(status: u16, body: &str) -> Answer {
    Answer { ending: Ending::Http(status), ..Answer::plain(body) }
}

fn exit(code: i32, output: &str) -> Answer {
    Answer { ending: Ending::Exit(code), ..Answer::plain(output) }
}

fn json(path: &str, equals: Option<&str>) -> Expect {
    let equals = equals.map(|text| serde_json::from_str(text).unwrap());
    let json = JsonExpect { path: serde_json_path::JsonPath::parse(path).unwrap(), equals };
    Expect { json: Some(json), ..Expect::default() }
}

#[test]
fn what_is_expected() {
    let plain = Expect::default;
    let matches = |text| Expect { matches: Some(text_pattern(text)), ..plain() };
    let within = Expect { within: Some(Duration::from_millis(50)), ..plain() };
    let created = Expect { status: 201..=201, ..plain() };
    let fails = Expect { exit: 3, ..plain() };
    for (expect, answer, reason) in [
        (plain(), http(200, ""), None),
        (plain(), http(304, ""), None),
        (plain(), http(503, ""), Some("status 503")),
        (created.clone(), http(200, ""), Some("status 200")),
        (created, http(201, ""), None),
        (plain(), exit(0, ""), None),
        (plain(), exit(1, ""), Some("exit 1")),
        (fails.clone(), exit(3, ""), None),
        (fails, exit(0, ""), Some("exit 0")),
        (plain(), Answer { ending: Ending::Signal(9), ..Answer::default() }, Some("signal KILL")),
        (plain(), Answer { ending: Ending::Signal(40), ..Answer::default() }, Some("signal 40")),
        (matches("^1$"), exit(0, "1"), None),
        (matches("(?m)^1$"), exit(0, "1\n"), None),
        (matches("^1$"), exit(0, "(error) MISCONF"), Some("output does not match")),
        (matches("ok"), http(200, "no"), Some("body does not match")),
        (matches("ok"), Answer::plain("no"), Some("answer does not match")),
        (json("$.a", None), http(200, r#"{"a": 1}"#), None),
        (json("$.a", None), http(200, r#"{"b": 1}"#), Some("json does not match")),
        (json("$.a", Some("1")), http(200, r#"{"a": 1.0}"#), None),
        (json("$.a", Some("1")), http(200, r#"{"a": "1"}"#), Some("json does not match")),
        (json("$[*].up", Some("true")), http(200, r#"[{"up": true}, {"up": true}]"#), None),
        (
            json("$[*].up", Some("true")),
            http(200, r#"[{"up": true}, {"up": false}]"#),
            Some("json does not match"),
        ),
        (json("$.a", None), http(200, "<html>"), Some("body is no JSON")),
        (json("$.a", None), exit(0, ""), Some("output is no JSON")),
        (within, http(200, ""), Some("too slow")),
    ] {
        let judged =
            judge(&expect, &answer, Duration::from_millis(60)).map_err(|failure| failure.to_string());
        assert_eq!(judged.err().as_deref(), reason, "{answer:?}");
    }
}

fn text_pattern(text: &str) -> regex::bytes::Regex {
    regex::bytes::Regex::new(text).unwrap()
}

#[test]
fn numbers_of_answers() {
    let path = |text| Some(ValueOf::Json(serde_json_path::JsonPath::parse(text).unwrap()));
    let regex = |text| Some(ValueOf::Regex(text_pattern(text)));
    let number_of = || Some(ValueOf::Number);
    for (value, answer, expected) in [
        (None, exit(0, "5"), Ok(None)),
        (None, Answer::of_number(5.0), Ok(Some(5.0))),
        (None, Answer::of_number(f64::NAN), Err(Failure::NoNumber)),
        (number_of(), exit(0, " 5.5\n"), Ok(Some(5.5))),
        (number_of(), exit(0, "1e3"), Ok(Some(1000.0))),
        (number_of(), exit(0, "five"), Err(Failure::NoNumber)),
        (number_of(), exit(0, "inf"), Err(Failure::NoNumber)),
        (number_of(), exit(0, ""), Err(Failure::NoNumber)),
        (number_of(), Answer::plain(vec![0xff]), Err(Failure::NoNumber)),
        (path("$.lag"), http(200, r#"{"lag": 7}"#), Ok(Some(7.0))),
        (path("$.lag"), http(200, r#"{"lag": "7.5"}"#), Ok(Some(7.5))),
        (path("$.lag"), http(200, r#"{"lag": null}"#), Err(Failure::NoNumber)),
        (path("$.lag"), http(200, "{}"), Err(Failure::NoNumber)),
        (path("$[*]"), http(200, "[1, 2]"), Err(Failure::SeveralNumbers)),
        (path("$.lag"), http(200, "x"), Err(Failure::NoJson("body"))),
        (regex(r"lag: (\d+)"), exit(0, "lag: 12 messages"), Ok(Some(12.0))),
        (regex(r"(\w+)=(?<value>\d+)"), exit(0, "lag=12"), Ok(Some(12.0))),
        (regex(r"\d+"), exit(0, "lag=12"), Ok(Some(12.0))),
        (regex(r"\d+"), exit(0, "none"), Err(Failure::NoNumber)),
    ] {
        assert_eq!(number(value.as_ref(), &answer), expected, "{value:?} {answer:?}");
    }
}

#[test]
fn a_rate_is_the_increase_per_second() {
    const SECOND: u64 = 1_000_000_000;
    let mut rates = Rates::default();
    assert_eq!(rates.next(SECOND, 100.0), None);
    assert_eq!(rates.next(2 * SECOND, 110.0), Some(10.0));
    // A look that failed in between: the time is longer.
    assert_eq!(rates.next(4 * SECOND, 130.0), Some(10.0));
    // The counter began again.
    assert_eq!(rates.next(5 * SECOND, 4.0), Some(4.0));
    assert_eq!(rates.next(5 * SECOND, 9.0), None);
    // One that comes out of turn changes nothing.
    assert_eq!(rates.next(4 * SECOND, 9.0), None);
    assert_eq!(rates.next(6 * SECOND, 5.0), Some(1.0));
}
