//! The counters of a live plan on a terminal: a line for each rule, updated in place, and removed when the closing table
//! comes. Whatever else is written meanwhile appears above it, see [`super::screen`].

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, IsTerminal as _},
    time::{Duration, Instant},
};

use console::{Term, truncate_str};
use injector::engine::RuleReport;
use nix::unistd::{getpgrp, tcgetpgrp};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::cli::{
    effects, output,
    screen::{replace, takes_more},
};

/// How often it is drawn anew.
const PERIOD: Duration = Duration::from_millis(500);

/// Over how many periods a rate is taken.
const WINDOW: usize = 4;

/// The lines, where there is a terminal to show them on.
pub(super) struct View(Option<Shown>);

struct Shown {
    tick: Interval,
    /// What was counted then, by rule, the oldest first.
    past: VecDeque<(Instant, Counts)>,
}

/// Matched and fired.
type Counts = BTreeMap<u32, (u64, u64)>;

impl View {
    /// Shows nothing yet; nothing ever where stderr is no terminal, or one that cannot move its cursor.
    pub(super) fn begin() -> Self {
        if !io::stderr().is_terminal() || console::is_dumb() {
            return Self(None);
        }
        let mut tick = interval(PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(Some(Shown { tick, past: VecDeque::new() }))
    }

    /// Waits until it is to be drawn; for ever where nothing is. Can be dropped and called again.
    pub(super) async fn due(&mut self) {
        match &mut self.0 {
            Some(shown) => _ = shown.tick.tick().await,
            None => std::future::pending().await,
        }
    }

    /// Draws the rules as they are now.
    pub(super) fn show(&mut self, rules: &[RuleReport]) {
        let Some(shown) = &mut self.0 else { return };
        // In the background the terminal is another's.
        if tcgetpgrp(io::stderr()).is_ok_and(|foreground| foreground != getpgrp()) || !takes_more() {
            return;
        }
        let now = Instant::now();
        let counts: Counts = rules.iter().map(|rule| (rule.rule, (rule.matched, rule.fired))).collect();
        let rates = shown.past.front().map(|(then, before)| rates(before, &counts, now - *then));
        shown.past.push_back((now, counts));
        if shown.past.len() > WINDOW {
            shown.past.pop_front();
        }
        let (rows, columns) = Term::stderr().size();
        let lines = lines(rules, &rates.unwrap_or_default(), usize::from(rows), usize::from(columns));
        replace(lines);
    }
}

impl Drop for View {
    /// Leaves nothing on the screen.
    fn drop(&mut self) {
        replace(Vec::new());
    }
}

/// Per second; a rule that is new has none yet.
fn rates(before: &Counts, now: &Counts, time: Duration) -> BTreeMap<u32, (f64, f64)> {
    #[expect(clippy::cast_precision_loss, reason = "a rate for the eye")]
    let rate = |before: u64, now: u64| now.saturating_sub(before) as f64 / time.as_secs_f64().max(0.001);
    let known = now.iter().filter_map(|(rule, now)| Some((rule, before.get(rule)?, now)));
    known.map(|(&rule, before, now)| (rule, (rate(before.0, now.0), rate(before.1, now.1)))).collect()
}

/// What fits on a terminal of that size: the rules that act, in the form of the closing table.
fn lines(
    rules: &[RuleReport],
    rates: &BTreeMap<u32, (f64, f64)>,
    rows: usize,
    columns: usize,
) -> Vec<String> {
    let live: Vec<_> = rules.iter().filter(|rule| !rule.removed).collect();
    // One for the head, one for those that have no room, one for the cursor.
    let room = rows.saturating_sub(3).max(1);
    let shown = if live.len() <= room + 1 { live.len() } else { room };
    let mut table = output::table(&["rule", "matched", "/s", "fired", "/s", ""]);
    for rule in &live[..shown] {
        let (matched, fired) = rates.get(&rule.rule).map_or((String::new(), String::new()), |rate| {
            (format!("{:.1}", rate.0), format!("{:.1}", rate.1))
        });
        let text = output::shown(&rule.text);
        table.add_row([
            rule.rule.to_string(),
            rule.matched.to_string(),
            matched,
            effects::fired(rule),
            fired,
            text,
        ]);
    }
    let mut lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    if shown < live.len() {
        lines.push(format!(" … and {} more", live.len() - shown));
    }
    // Whole lines only: one that wraps would take two, and be left behind.
    let width = columns.saturating_sub(1).max(1);
    lines.iter().map(|line| truncate_str(line, width, "…").into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use console::measure_text_width;
    use injector_common::{
        counters::{Counters, Traffic},
        queue::{Queue, step},
    };

    use super::*;

    fn rule(number: u32, matched: u64, fired: u64, removed: bool) -> RuleReport {
        let counters = Counters { matched, fired, ..Counters::default() };
        RuleReport::new(number, "inject=fsync:error=EIO\nä", &counters, removed)
    }

    #[test]
    fn a_line_has_counters_rates_and_text() {
        let before = Counts::from([(0, (100, 10))]);
        let now = Counts::from([(0, (300, 15)), (2, (7, 7))]);
        let rates = rates(&before, &now, Duration::from_secs(2));
        let rules = [rule(0, 300, 15, false), rule(1, 9, 9, true), rule(2, 7, 7, false)];
        let lines = lines(&rules, &rates, 24, 80);
        assert_eq!(lines.len(), 3);
        let words: Vec<_> = lines[1].split_whitespace().collect();
        assert_eq!(words, ["0", "300", "100.0", "15", "2.5", "inject=fsync:error=EIO\\nä"]);
        // A new rule has no rate yet.
        assert_eq!(lines[2].split_whitespace().collect::<Vec<_>>()[..3], ["2", "7", "7"]);
    }

    #[test]
    fn what_waits_has_a_histogram() {
        let traffic = Traffic { dropped: 1, delayed: 6, ..Traffic::default() };
        let mut queue = Queue { waiting: 2, bytes: 196, added: 6 * 30_000_000, ..Queue::default() };
        (queue.delays[step(20_000_000)], queue.delays[step(40_000_000)]) = (4, 2);
        let lines = lines(&[rule(0, 7, 7, false).with(traffic, &queue)], &BTreeMap::new(), 24, 120);
        let told = "7 (dropped 1, delayed 6 by 30.0ms [█▅], 2 wait with 196 bytes)";
        assert!(lines[1].contains(told), "{lines:?}");
    }

    #[test]
    fn any_size_of_a_terminal_will_do() {
        let rules: Vec<_> = (0..64).map(|number| rule(number, u64::MAX, u64::MAX, false)).collect();
        for (rows, columns) in [(0, 0), (1, 1), (4, 10), (24, 40), (24, 80), (200, 300)] {
            let lines = lines(&rules, &BTreeMap::new(), rows, columns);
            assert!(lines.len() <= rows.max(4), "{rows} rows");
            assert!(lines.iter().all(|line| measure_text_width(line) < columns.max(2)), "{columns} columns");
        }
        let lines = lines(&rules, &BTreeMap::new(), 24, 80);
        assert!(lines.last().unwrap().contains("and 43 more"), "{lines:?}");
    }
}
