//! The closing page of an experiment: the verdict first, then what it rests on. Made of the report alone.

use std::fmt::Write as _;

use injector::experiment::{
    journal::Phase,
    judge::Truth,
    report::{Figures, Report, Role, Unit, Verdict},
};

use crate::cli::{color, output};

/// The page.
pub(super) fn page(report: &Report) -> String {
    let mut page = String::new();
    verdict(&mut page, report);
    conditions(&mut page, report);
    faults(&mut page, report);
    sources(&mut page, report);
    recovery(&mut page, report);
    page
}

fn verdict(page: &mut String, report: &Report) {
    let word = report.verdict.words().to_uppercase();
    let word = match report.verdict {
        Verdict::Held | Verdict::Ran => color::good(word),
        _ => color::bad(word),
    };
    let because = report.reasons.first().map(|reason| format!(": {}", output::shown(&reason.text)));
    _ = writeln!(page, "{word}{}", because.unwrap_or_default());
    if let Some(hypothesis) = &report.hypothesis {
        _ = writeln!(page, "{}", output::shown(hypothesis));
    }
    for reason in report.reasons.iter().skip(1) {
        _ = writeln!(page, "  and: {}", output::shown(&reason.text));
    }
}

fn conditions(page: &mut String, report: &Report) {
    if report.conditions.is_empty() {
        return;
    }
    let mut table = output::table(&["condition", "where", "measured", "95% interval", "samples", "verdict"]);
    for condition in &report.conditions {
        let role = match condition.role {
            Role::Before => "before",
            Role::During => "during",
            Role::Check => "check",
            Role::Recovery => "recovery",
            Role::After => "after",
            Role::Verify => "verify",
        };
        let show = |number: Option<f64>| number.map_or("-".to_owned(), |number| condition.unit.show(number));
        let interval = condition.interval.map_or("-".to_owned(), |interval| {
            format!("{} to {}", condition.unit.show(interval.low), condition.unit.show(interval.high))
        });
        let truth = match condition.truth {
            Truth::True => color::good("held"),
            Truth::False => color::bad("not held"),
            Truth::Unknown => color::bad(format!("unknown: needs {}", condition.needed)),
        };
        table.add_row([
            output::shown(&condition.condition),
            role.to_owned(),
            show(condition.measured),
            interval,
            condition.samples.to_string(),
            truth,
        ]);
    }
    _ = writeln!(page, "\n{}", trimmed(&table.to_string()));
}

fn faults(page: &mut String, report: &Report) {
    if report.faults.is_empty() {
        return;
    }
    let mut table = output::table(&["fault", "acted", "matched", "fired", "rule"]);
    for fault in &report.faults {
        let acted = fault.end.map_or_else(
            || format!("from {}", clock(fault.begin)),
            |end| format!("{} to {}", clock(fault.begin), clock(end)),
        );
        for (place, rule) in fault.rules.iter().enumerate() {
            let first = |text: &str| if place == 0 { text.to_owned() } else { String::new() };
            let fired =
                if report.monitor { format!("{} would", rule.would_fire) } else { rule.fired.to_string() };
            table.add_row([
                first(&output::shown(&fault.path)),
                first(&acted),
                rule.matched.to_string(),
                fired,
                output::shown(&rule.rule),
            ]);
        }
    }
    _ = writeln!(page, "\n{}", trimmed(&table.to_string()));
}

/// What was seen of each load and probe, phase by phase.
fn sources(page: &mut String, report: &Report) {
    let phases = [Phase::Before, Phase::During, Phase::Recovery, Phase::After];
    let shown: Vec<_> = report.sources.iter().filter(|source| !source.phases.is_empty()).collect();
    if shown.is_empty() {
        return;
    }
    let mut table = output::table(&[
        "load or probe",
        "phase",
        "samples",
        "errors",
        "p50",
        "p95",
        "p99",
        "most frequent error",
    ]);
    for source in shown {
        let mut name = output::shown(&source.name);
        for phase in phases {
            let Some(figures) = source.phases.get(&phase) else { continue };
            let Figures { samples, errors, p50, p95, p99, reasons, .. } = figures;
            let show =
                |unit: &Unit, number: &Option<f64>| number.map_or("-".to_owned(), |number| unit.show(number));
            table.add_row([
                std::mem::take(&mut name),
                phase.name().to_owned(),
                samples.to_string(),
                show(&Unit::Share, errors),
                show(&source.unit, p50),
                show(&source.unit, p95),
                show(&source.unit, p99),
                reasons
                    .first()
                    .map_or(String::new(), |(reason, count)| format!("{} ({count})", output::shown(reason))),
            ]);
        }
    }
    _ = writeln!(page, "\n{}", trimmed(&table.to_string()));
}

fn recovery(page: &mut String, report: &Report) {
    let recovery = &report.recovery;
    let mut told = Vec::new();
    if let Some(after) = recovery.detected_after {
        told.push(format!("it showed {} after the method began", Unit::Seconds.show(after)));
    }
    if let Some(after) = recovery.recovered_after {
        let when = if recovery.healed_under_fault {
            "before the faults were off"
        } else {
            "after the faults were off"
        };
        told.push(format!("it had recovered {} {when}", Unit::Seconds.show(after.max(0.0))));
    }
    if !told.is_empty() {
        _ = writeln!(page, "\n{}.", told.join("; "));
    }
    _ = writeln!(
        page,
        "\nrun {}, seed {}, {}",
        output::shown(&report.run),
        report.seed,
        Unit::Seconds.show(report.duration)
    );
}

/// Lines without blanks at their ends.
fn trimmed(text: &str) -> String {
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// A time in the run as `MM:SS.s`.
pub(super) fn clock(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "of a run, so small and positive"
    )]
    let minutes = (seconds / 60.0) as u64;
    #[expect(clippy::cast_precision_loss, reason = "minutes of a run")]
    let rest = seconds - minutes as f64 * 60.0;
    format!("{minutes:02}:{rest:04.1}")
}
