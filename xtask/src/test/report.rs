//! What a test binary said: libtest's lines, from a run with one thread, `--nocapture` and both
//! streams in one, so that each test's own output stands between its name and its verdict. Behind the verdict stands
//! how long it took (`--report-time`).

use std::time::Duration;

/// One test's result.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) verdict: Verdict,
    /// All that the test printed.
    pub(super) output: String,
    /// How long it took, where libtest says so.
    pub(super) took: Option<Duration>,
}

/// How a test ended.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(super) enum Verdict {
    Passed,
    /// Failed, and passed when it was run again.
    Flaky,
    Failed,
    /// The test found that it cannot run here, and said why in a line that starts with `SKIP `; or
    /// libtest left it out.
    Skipped(String),
    /// The output ends within the test: it hung, or took the process or the machine down.
    Unfinished,
}

/// The tests in `output`, in the order they ran.
pub(super) fn cases(output: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in output.lines() {
        let line = line.trim_end_matches('\r');
        let named = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "));
        let said = if let Some((name, said)) = named {
            let name = name.trim_end_matches(" - should panic").to_owned();
            cases.push(Case { name, verdict: Verdict::Unfinished, output: String::new(), took: None });
            said
        } else {
            line
        };
        let Some(case) = cases.last_mut() else { continue };
        let (said, took) = timed(said);
        if let Some(why) = said.strip_prefix("SKIP ") {
            case.verdict = Verdict::Skipped(why.to_owned());
        } else if case.verdict == Verdict::Unfinished {
            // What a test prints without a line break stands before its verdict.
            if said.ends_with("ok") && is_last_word(said, "ok") {
                case.verdict = Verdict::Passed;
            } else if is_last_word(said, "FAILED") {
                case.verdict = Verdict::Failed;
            } else if said.starts_with("ignored") {
                case.verdict = Verdict::Skipped(said.to_owned());
            }
        }
        if case.verdict != Verdict::Unfinished && took.is_some() {
            case.took = took;
        }
        if case.verdict == Verdict::Unfinished && !said.is_empty() {
            case.output.push_str(said);
            case.output.push('\n');
        }
    }
    cases
}

/// Splits `ok <1.250s>` into the verdict and the time.
fn timed(line: &str) -> (&str, Option<Duration>) {
    let split = || {
        let (said, time) = line.strip_suffix("s>")?.rsplit_once(" <")?;
        Some((said, Duration::try_from_secs_f64(time.parse().ok()?).ok()?))
    };
    split().map_or((line, None), |(said, took)| (said, Some(took)))
}

fn is_last_word(line: &str, word: &str) -> bool {
    line.strip_suffix(word).is_some_and(|before| !before.ends_with(|c: char| c.is_alphanumeric()))
}

/// Sums over test runs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u32,
    pub(super) failed: u32,
    pub(super) skipped: u32,
}

impl Counts {
    /// The numbers in the lines `test result: ok. 3 passed; 0 failed; 1 ignored; …` of host tests.
    pub(super) fn of_summaries(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output.lines().filter_map(|line| line.strip_prefix("test result: ")) {
            let number = |word: &str| -> u32 {
                let part = line.split(['.', ';']).find(|part| part.trim_end().ends_with(word));
                part.and_then(|part| part.split_whitespace().next()?.parse().ok()).unwrap_or(0)
            };
            sum.passed += number("passed");
            sum.failed += number("failed");
            sum.skipped += number("ignored");
        }
        sum
    }

    pub(super) fn of_cases(cases: &[Case]) -> Self {
        let mut sum = Self::default();
        for case in cases {
            match case.verdict {
                Verdict::Passed | Verdict::Flaky => sum.passed += 1,
                Verdict::Skipped(_) => sum.skipped += 1,
                Verdict::Failed | Verdict::Unfinished => sum.failed += 1,
            }
        }
        sum
    }

    pub(super) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Verdict, cases};

    const OUTPUT: &str = "
running 6 tests
test quick ... ok <1.250s>
test not_here ... SKIP no tcx on this kernel
ok
test loud ... starting
half a line ok <0.500s>
test broken ... 
thread 'broken' panicked at tests/a.rs:3:5:
assertion failed: false
FAILED <2.000s>
test slow ... ignored
test hangs ... waiting
";

    #[test]
    fn each_test_gets_its_verdict_and_its_own_output() {
        let cases = cases(OUTPUT);
        let verdicts: Vec<_> = cases.iter().map(|case| (case.name.as_str(), case.verdict.clone())).collect();
        assert_eq!(
            verdicts,
            [
                ("quick", Verdict::Passed),
                ("not_here", Verdict::Skipped("no tcx on this kernel".to_owned())),
                ("loud", Verdict::Passed),
                ("broken", Verdict::Failed),
                ("slow", Verdict::Skipped("ignored".to_owned())),
                ("hangs", Verdict::Unfinished),
            ]
        );
        let took: Vec<_> = cases.iter().map(|case| case.took.map(|took| took.as_millis())).collect();
        assert_eq!(took, [Some(1250), None, Some(500), Some(2000), None, None]);
        assert!(cases[3].output.contains("assertion failed"));
        assert_eq!(cases[5].output, "waiting\n");
        assert_eq!(Counts::of_cases(&cases), Counts { passed: 2, failed: 2, skipped: 2 });
    }

    #[test]
    fn host_summaries_are_added_up() {
        let output = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.00s\n\
                      test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(Counts::of_summaries(output), Counts { passed: 13, failed: 2, skipped: 1 });
    }
}
