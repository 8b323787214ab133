//! Loads against a real server and real commands.

use std::{collections::BTreeMap, time::Duration};

use super::{
    figures::{Figure, read},
    *,
};
use crate::{
    clock,
    experiment::{
        model::Figures,
        sample::Sample,
        testing::{Reply, Server, all, answer, get, outlet, shell, stop_after, text_pattern, told},
    },
};

const MILLISECOND: u64 = 1_000_000;

fn load(kind: LoadKind, rate: f64) -> Load {
    let timeout = Duration::from_secs(3);
    Load { kind, rate, timeout, at_once: 300, inside: None, expect: Expect::default(), slo: None }
}

async fn samples_of(load: &Load, milliseconds: u64) -> (Ended, Vec<Sample>) {
    let (outlet, received) = outlet();
    let (namespaces, variables) = (Namespaces::default(), Variables::new("run", 1));
    let stop = stop_after(milliseconds);
    let ended = run(load, &namespaces, &variables, clock::now(), stop, outlet).await.unwrap();
    (ended, all(received))
}

/// How often each came of them.
fn tally(samples: &[Sample]) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for sample in samples {
        *tally.entry(told(sample)).or_default() += 1;
    }
    tally
}

#[tokio::test]
async fn a_server_that_stalls_cannot_hide_it() {
    // For a second it takes requests and answers none of them.
    let start = clock::now() + 100 * MILLISECOND;
    let (stall, end) = (start + 500 * MILLISECOND, start + 1_500 * MILLISECOND);
    let server = Server::new(move |_| {
        let now = clock::now();
        let left = if (stall..end).contains(&now) { end - now } else { 0 };
        Reply::Answer(Duration::from_nanos(left), 200, String::new())
    })
    .await;
    let load = load(LoadKind::Http(get(&server.url("/"))), 100.0);
    let (outlet, received) = outlet();
    let (namespaces, variables) = (Namespaces::default(), Variables::default());
    run(&load, &namespaces, &variables, start, stop_after(2_100), outlet).await.unwrap();
    let samples = all(received);
    assert!(samples.iter().all(Sample::is_good), "{:?}", tally(&samples));
    let stalled: Vec<_> = samples.iter().filter(|sample| (stall..end).contains(&sample.due)).collect();
    // One each 10 ms, whatever became of those before.
    assert_eq!(stalled.len(), 100);
    for (earlier, later) in stalled.iter().zip(&stalled[1..]) {
        assert!(later.due - earlier.due == 10 * MILLISECOND);
    }
    for sample in &stalled {
        // From 1 s down to nothing: nobody was answered before its end.
        assert!(sample.due + sample.latency() >= end, "{sample:?}");
    }
    let before: Vec<_> = samples.iter().filter(|sample| sample.due + 200 * MILLISECOND < stall).collect();
    assert!(before.len() >= 25, "{}", before.len());
    let quick = before.iter().filter(|sample| sample.latency() < 150 * MILLISECOND).count();
    assert!(quick * 2 > before.len(), "{quick} of {}", before.len());
}

#[tokio::test]
async fn each_operation_is_judged() {
    let server = Server::new(|request| match request.split_whitespace().nth(1) {
        Some("/0") => answer(503, "ok"),
        Some("/1") => answer(200, "sorry"),
        Some("/2") => Reply::Hang,
        Some("/3") => Reply::Reset,
        _ => answer(200, "ok"),
    })
    .await;
    let mut load = load(LoadKind::Http(get(&server.url("/${n}"))), 50.0);
    load.timeout = Duration::from_millis(800);
    load.expect.matches = Some(text_pattern("^ok$"));
    let (ended, samples) = samples_of(&load, 300).await;
    assert_eq!(ended.made, samples.len() as u64);
    let firsts: Vec<_> = samples.iter().map(told).take(4).collect();
    assert_eq!(firsts, ["status 503", "body does not match", "timeout", "connection reset"]);
    assert!(samples[2].latency() >= 800 * MILLISECOND);
    assert!(samples.len() >= 6 && samples[4..].iter().any(Sample::is_good), "{:?}", tally(&samples));
}

#[tokio::test]
async fn a_command_for_each_operation() {
    let line = "echo ${n}; case ${n} in 1) exit 7;; 2) kill -KILL $$;; 3) sleep 100;; 4) echo no;; esac";
    let mut load = load(LoadKind::Each(shell(line)), 20.0);
    load.timeout = Duration::from_millis(1_500);
    load.expect.matches = Some(text_pattern(r"^\d+\n$"));
    let (_, samples) = samples_of(&load, 400).await;
    let firsts: Vec<_> = samples.iter().map(told).take(6).collect();
    assert_eq!(firsts, ["ok", "exit 7", "signal KILL", "timeout", "output does not match", "ok"]);
    let unknown = LoadKind::Each(shell("echo ${leader}"));
    let (_, samples) = samples_of(&self::load(unknown, 20.0), 20).await;
    assert_eq!(told(&samples[0]), "`${leader}` has no value here");
}

fn streamed(text: &str, pattern: &str) -> Load {
    let figures = Figures::Lines(text_pattern(pattern));
    load(LoadKind::Command { command: shell(text), figures }, 10.0)
}

const PATTERN: &str = r"^(?<latency>\S+) (?<ok>\w+)$";

#[tokio::test]
async fn a_command_that_dies_is_told() {
    let load =
        streamed("echo begin; echo 10ms ok; echo 0.02 no; echo 5s ok; echo oh no >&2; exit 3", PATTERN);
    let (ended, samples) = samples_of(&load, 60_000).await;
    assert_eq!(ended.died.as_deref(), Some("exit 3: oh no"));
    assert_eq!(samples.iter().map(told).collect::<Vec<_>>(), ["ok", "failed", "timeout", "ended"]);
    assert_eq!(
        samples.iter().map(|sample| sample.latency() / MILLISECOND).collect::<Vec<_>>(),
        [10, 20, 5_000, 0]
    );
    let (ended, samples) = samples_of(&streamed("exec /no/such/program", PATTERN), 60_000).await;
    assert!(ended.died.is_some_and(|died| died.starts_with("exit 127: ")));
    assert_eq!(samples.iter().map(told).collect::<Vec<_>>(), ["ended"]);
}

#[tokio::test]
async fn a_command_that_is_told_to_stop_has_time_to_say_the_rest() {
    let load =
        streamed("trap 'echo 1ms last; exit 0' TERM; echo 1ms first; while :; do sleep 0.02; done", PATTERN);
    let (ended, samples) = samples_of(&load, 700).await;
    assert_eq!((ended.died, samples.len()), (None, 2), "{samples:?}");
}

#[tokio::test]
async fn a_line_that_comes_too_late_counts_for_what_is_still_open() {
    let load = streamed("echo 1000000000 0.5; exec sleep 100", r"^(?<time>\d+) (?<latency>\S+)$");
    let start = clock::now();
    let (ended, samples) = samples_of(&load, 500).await;
    assert_eq!((ended.late_lines, samples.len()), (1, 1));
    assert!(samples[0].due >= start && samples[0].latency() == 500 * MILLISECOND, "{samples:?}");
}

#[test]
fn lines_of_tools() {
    let vegeta = |line: &str| read(&Figures::Vegeta, line.as_bytes());
    let k6 = |line: &str| read(&Figures::K6, line.as_bytes());
    let figure = |began, milliseconds, result: Result<Option<u16>, &str>| {
        let latency = Duration::from_millis(milliseconds);
        Some(Figure { began: Some(began), latency, result: result.map_err(str::to_owned) })
    };
    // As `vegeta encode` prints them.
    let line = r#"{"attack":"","seq":0,"code":200,"timestamp":"2019-07-24T18:28:36.000000001+02:00","latency":5000000,"bytes_out":0,"bytes_in":4,"error":"","body":"cG9uZw==","method":"GET","url":"http://127.0.0.1:8080/","headers":{"Content-Length":["4"]}}"#;
    assert_eq!(vegeta(line), figure(1_563_985_716_000_000_001, 5, Ok(Some(200))));
    assert_eq!(
        vegeta(
            &line.replace(r#""code":200"#, r#""code":503"#).replace(r#""error":"""#, r#""error":"503 X""#)
        ),
        figure(1_563_985_716_000_000_001, 5, Ok(Some(503)))
    );
    let refused = r#""error":"Get \"http://127.0.0.1:8080/\": dial tcp 0.0.0.0:0->127.0.0.1:8080: connect: connection refused""#;
    assert_eq!(
        vegeta(&line.replace(r#""code":200"#, r#""code":0"#).replace(r#""error":"""#, refused)),
        figure(1_563_985_716_000_000_001, 5, Err("connection refused"))
    );
    assert_eq!((vegeta("Requests      [total]"), vegeta("{}")), (None, None));
    // As `k6 run --out json` prints them.
    assert_eq!(
        k6(
            r#"{"type":"Metric","data":{"type":"gauge","contains":"default","tainted":null,"thresholds":[],"submetrics":null},"metric":"vus"}"#
        ),
        None
    );
    assert_eq!(
        k6(
            r#"{"type":"Point","data":{"time":"2017-05-09T14:34:45.239531499+02:00","value":5,"tags":null},"metric":"vus"}"#
        ),
        None
    );
    let line = r#"{"type":"Point","data":{"time":"2017-05-09T14:34:45.625742514+02:00","value":459,"tags":{"expected_response":"true","group":"::my group::json","method":"GET","status":"200","url":"https://quickpizza.grafana.com/api/tools"}},"metric":"http_req_duration"}"#;
    let ended = 1_494_333_285_625_742_514;
    assert_eq!(k6(line), figure(ended - 459 * MILLISECOND, 459, Ok(None)));
    let failed = line.replace(r#""expected_response":"true""#, r#""expected_response":"false""#);
    assert_eq!(
        k6(&failed.replace(r#""status":"200""#, r#""status":"503""#)),
        figure(ended - 459 * MILLISECOND, 459, Err("status 503"))
    );
    assert_eq!(
        k6(&failed
            .replace(r#""status":"200""#, r#""status":"0","error":"request timeout","error_code":"1050""#)),
        figure(ended - 459 * MILLISECOND, 459, Err("timeout"))
    );
}

#[test]
fn lines_by_a_pattern() {
    let read = |pattern: &str, line: &str| read(&Figures::Lines(text_pattern(pattern)), line.as_bytes());
    let found = |pattern: &str, line: &str| {
        read(pattern, line).map(|figure| (figure.began, figure.latency.as_millis(), figure.result.is_ok()))
    };
    let all = r"^(?<time>\S+) (?<latency>\S+) (?<ok>\S*)$";
    assert_eq!(found(all, "1.5 0.25 true"), Some((Some(1_500_000_000), 250, true)));
    assert_eq!(found(all, "1970-01-01T00:00:02Z 250ms ok"), Some((Some(2_000_000_000), 250, true)));
    for no in ["", "0", "false", "No", "FAILED"] {
        assert_eq!(found(all, &format!("1 1 {no}")), Some((Some(1_000_000_000), 1_000, false)), "{no}");
    }
    assert_eq!(found(all, "yesterday 1 ok"), None);
    assert_eq!(found(all, "1 soon ok"), None);
    assert_eq!(found(r"took (?<latency>\w+)", "it took 3ms"), Some((None, 3, true)));
    assert_eq!(found("done(?<ok>!)?", "done"), Some((None, 0, false)));
    assert_eq!(found("done(?<ok>!)?", "begun"), None);
}
