//! What is found in files that can be read.

use crate::experiment::{
    check::{self, Phase, Severity},
    file::{self, Given},
};

/// Each line: how bad, its place, what is said.
fn found(text: &str) -> Vec<String> {
    let experiment = file::read("x.yaml", text, &Given::default()).unwrap_or_else(|error| panic!("{error}"));
    let line = |finding: check::Finding| {
        let severity = if finding.severity == Severity::Problem { "problem" } else { "warning" };
        assert!(!finding.cause.hint().is_empty());
        format!("{severity} {}:{} {}", finding.place.line, finding.place.column, finding.cause)
    };
    check::check(&experiment).into_iter().map(line).collect()
}

#[test]
fn the_examples_are_as_they_should_be() {
    for (name, text) in file::tests::EXAMPLES {
        assert_eq!(found(text), [""; 0], "{name}");
    }
}

#[test]
fn samples_are_counted_beforehand() {
    let (_, text) = file::tests::EXAMPLES[0];
    let experiment = file::read("etcd-leader.yaml", text, &Given::default()).unwrap();
    let expected = check::expected(&experiment);
    let lines: Vec<_> = expected
        .iter()
        .map(|expected| {
            (
                expected.phase,
                expected.condition.as_str(),
                expected.samples,
                expected.needed,
                expected.confident,
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            (Phase::Before, "writes errors < 0.5%", Some(200), 1, Some(598)),
            (Phase::Before, "writes p95 < 500ms", Some(200), 20, Some(59)),
            (Phase::During, "writes outage < 5s", Some(400), 1, None),
            (Phase::During, "writes errors < 40% over 10s", Some(200), 1, Some(6)),
            (Phase::Recovery, "writes errors < 0.5%", Some(300), 1, Some(598)),
            (Phase::Recovery, "writes p95 < 500ms", Some(300), 20, Some(59)),
            (Phase::After, "lost value = 0", None, 1, None),
            (Phase::Abort, "writes errors > 90% for 20s", None, 1, None),
        ]
    );
}

/// A file with one load, one probe and one fault, in which some lines are others.
fn with(changes: &[(&str, &str)]) -> String {
    let text = "\
injector: 1
title: t
lab: {services: {a: {run: a}, b: {run: b}}}
targets: {web: {unit: web}}
load: {l: {http: 'http://a/', rate: 5/s}}
probes: {p: {tcp: 'a:80'}, n: {command: n, value: number, unit: items}}
steady: {for: 10s, hold: ['l errors < 1%']}
hypothesis: {text: h, during: ['l errors < 5%']}
method:
  - {fault: f, target: a, net: 'loss 5%', for: 30s}
";
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

#[test]
fn what_makes_no_sense_is_told() {
    let fault = "net: 'loss 5%', for: 30s";
    let during = "l errors < 5%";
    for (from, to, message) in [
        (during, "m errors < 5%", "there is no load or probe `m`"),
        (during, "l value < 5", "the load `l` has no number of its own"),
        (during, "l burn < 5", "`burn` needs the share that `l` promises"),
        (during, "p burn < 5", "the probe `p` promises no share"),
        (during, "p value < 5", "the probe `p` has no number"),
        (during, "l p50 < 5", "`p50` of `l` is a time"),
        (during, "n max < 5s", "`n` has numbers, and no times"),
        (during, "n max < 5 bytes", "`max` of `n` is not in bytes"),
        (during, "l p99 < 1s over 10s", "`p99` over 10s at 5/s has 50 samples, needs 100; 299 for 95 %"),
        (
            during,
            "l errors < 5% over 1m",
            "a window of 1m does not fit into the during phase, which is 30s long",
        ),
        (
            "l errors < 1%",
            "l errors < 1% over 20s",
            "a window of 20s does not fit into the before phase, which is 10s long",
        ),
        ("l errors < 1%", "l max < 150% of before", "there is nothing before the steady state"),
        ("target: a", "target: c", "there is no target or service `c`"),
        ("target: a", "target: wep", "there is no target or service `wep`"),
        (fault, "cut: {from: peers}", "`f` acts to the end of the method, which comes at once"),
        (
            "target: a, net: 'loss 5%'",
            "target: web, cut: {from: peers}",
            "only services of the lab have peers",
        ),
        (
            "target: a, net: 'loss 5%'",
            "target: web, process: restart",
            "only services of the lab can be restarted",
        ),
        (
            fault,
            "net: 'loss {x}', vary: {x: {from: 1%, to: 5ms}}, for: 30s",
            "`1%` and `5ms` have different units",
        ),
        (
            fault,
            "net: 'loss {x}', vary: {x: {from: 0%, to: 200%}}, for: 30s",
            "with x = 110% it is no rule: `110%` is not a probability",
        ),
        (
            fault,
            "net: 'loss {x}', vary: {x: {from: 0%, to: 5%, over: 1m}}, for: 30s",
            "`x` changes over 1m, and the fault acts for 30s",
        ),
        (fault, "net: 'loss 1%', vary: {x: {from: 0%, to: 5%}}, for: 30s", "no rule of `f` has {x}"),
        (
            fault,
            "net: 'loss 1%', pulse: {active: 40s, idle: 1s}, for: 30s",
            "a pulse of 40s is no shorter than the 30s for which `f` acts",
        ),
        (fault, "process: kill TERM, pulse: {active: 1s, idle: 1s}", "`f` is done once, and cannot pulse"),
        ("for: 30s", "for: 20m", "the run takes 20m 10s at least, and its deadline is 15m"),
        ("for: 10s", "for: 2m", "the steady state cannot hold for 2m within 1m"),
        ("{tcp: 'a:80'}", "{counter: g.fired}", "there is no fault `g`"),
        ("{tcp: 'a:80'}", "{lost: {load: m, read: x}}", "there is no load `m`"),
        ("{tcp: 'a:80'}", "{log: {of: c, matches: x}}", "there is no service `c`"),
        ("{tcp: 'a:80'}", "{cgroup: {of: c, file: memory.current}}", "there is no target or service `c`"),
        ("{tcp: 'a:80'}", "{lost: {load: l, read: x}}, x: {tcp: 'a:80'}", ""),
        (during, "n rate > 5/s", ""),
        (during, "n value < 5 items", ""),
        (during, "l rate > 2/s", ""),
    ] {
        let found = found(&with(&[(from, to)]));
        let told: Vec<_> =
            found.iter().filter_map(|line| Some(line.splitn(3, ' ').nth(2)?.to_owned())).collect();
        let expected: Vec<_> = [message].into_iter().filter(|message| !message.is_empty()).collect();
        assert_eq!(told, expected, "{to}: {found:?}");
    }
}

#[test]
fn two_faults_have_two_names_and_what_is_lost_is_judged_at_the_end() {
    let twice =
        with(&[("  - {fault: f", "  - {fault: f, target: a, net: 'loss 1%', for: 1s}\n  - {fault: f")]);
    assert_eq!(found(&twice), ["problem 11:5 the name `f` is taken"]);
    let lost = [("{tcp: 'a:80'}", "{lost: {load: l, read: x}}"), ("l errors < 5%", "p value = 0")];
    assert_eq!(found(&with(&lost)), ["problem 8:32 `p` is counted only when the run is over"]);
    let confident = [("l errors < 5%", "l errors < 1%'], confidence: 95%, after: ['l errors < 5%")];
    let found = found(&with(&confident));
    assert!(
        found[0].ends_with("`errors` over the during phase at 5/s has 150 samples, needs 1; 299 for 95 %"),
        "{found:?}"
    );
    let nothing = self::found("injector: 1\ntitle: t\n");
    assert_eq!(
        nothing,
        ["warning 1:1 nothing is believed, and so nothing is judged", "warning 1:1 nothing is broken"]
    );
}
