//! What came of a rule's faults in a few words, for the closing table and for the lines that move: how many packets
//! were lost, doubled, damaged, and by how much those that waited were late.

use injector::engine::{DelayReport, RuleReport};
use std::time::Duration;

/// How often a rule fired, and what that was where it was not only one thing.
pub(super) fn fired(rule: &RuleReport) -> String {
    let Some(packets) = rule.packets.filter(|packets| packets.dropped < rule.fired) else {
        return rule.fired.to_string();
    };
    let effects = [
        ("dropped", packets.dropped),
        ("duplicated", packets.duplicated),
        ("corrupted", packets.corrupted),
        ("overtook", packets.reordered),
        ("queue full", packets.overflowed),
    ];
    let effects = effects.iter().filter(|(_, count)| *count > 0);
    let mut told: Vec<_> = effects.map(|(name, count)| format!("{name} {count}")).collect();
    told.extend(rule.delay.as_ref().map(|delay| delayed(packets.delayed, delay)));
    if told.is_empty() { rule.fired.to_string() } else { format!("{} ({})", rule.fired, told.join(", ")) }
}

/// How many were delayed by how much, as a small histogram by powers of two.
fn delayed(packets: u64, delay: &DelayReport) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let mean = Duration::from_nanos(delay.mean_ns);
    let waiting = match (delay.waiting, delay.waiting_bytes) {
        (0, _) => String::new(),
        (packets, bytes) => format!(", {packets} wait with {bytes} bytes"),
    };
    let (Some(first), Some(last)) = (delay.steps.first(), delay.steps.last()) else { return String::new() };
    let most = delay.steps.iter().map(|step| step.packets).max().unwrap_or(1);
    let mut bars = String::new();
    let mut from = first.from_ns;
    while from <= last.from_ns {
        let packets = delay.steps.iter().find(|step| step.from_ns == from).map_or(0, |step| step.packets);
        let height = (packets * 7).div_ceil(most);
        bars.push(BARS[usize::try_from(height).unwrap_or(0).min(7)]);
        from = if from == 0 { 1024 } else { 2 * from };
    }
    format!("delayed {packets} by {mean:.1?} [{bars}]{waiting}")
}
