//! The numbers that something takes while it varies.

use std::collections::BTreeMap;

use crate::{
    experiment::model::{Curve, Fault, RuleTemplate, Vary},
    spec::nanoseconds,
};

impl Vary {
    /// What it is after `step` of its steps, as rules have it: `from` after none, `to` after all. `None` if the two ends
    /// have different units, or one is zero where the curve goes by equal ratios.
    pub fn value(&self, step: u32) -> Option<String> {
        if step == 0 {
            return Some(self.from.value.clone());
        }
        if step >= self.steps {
            return Some(self.to.value.clone());
        }
        let (from, to, unit) = ends(&self.from, &self.to)?;
        let part = f64::from(step) / f64::from(self.steps);
        let number = match self.curve {
            Curve::Linear => from + (to - from) * part,
            Curve::Log if from > 0.0 && to > 0.0 => from * (to / from).powf(part),
            Curve::Log => return None,
        };
        // Counts, such as those of a limit, have neither a unit nor a point.
        let whole = unit.is_empty() && from.fract() == 0.0 && to.fract() == 0.0;
        let scale = if whole { 1.0 } else { 1e6 };
        Some(format!("{}{unit}", (number * scale).round() / scale))
    }
}

impl RuleTemplate {
    /// Is a number of this rule that varies zero? No grammar has a rule that never acts: as long as it is so, there is no
    /// rule.
    pub fn is_idle(&self, varied: &BTreeMap<String, String>) -> bool {
        let text = self.text.to_string();
        let zero = |value: &str| split(value).is_some_and(|(number, _)| number == 0.0);
        varied.iter().any(|(name, value)| zero(value) && text.contains(&format!("{{{name}}}")))
    }
}

impl Fault {
    /// The values of all that varies after `step` of its steps.
    pub fn varied(&self, step: u32) -> BTreeMap<String, String> {
        let values = self.vary.iter();
        values.filter_map(|(name, vary)| Some((name.clone(), vary.value(step)?))).collect()
    }

    /// The most steps that anything in it has; 0 if nothing varies.
    pub fn steps(&self) -> u32 {
        self.vary.values().map(|vary| vary.steps).max().unwrap_or_default()
    }
}

/// Both numbers in one unit. Times may have different ones.
fn ends<'a>(from: &'a str, to: &'a str) -> Option<(f64, f64, &'a str)> {
    let ((first, unit), (last, other)) = (split(from)?, split(to)?);
    if unit == other {
        return Some((first, last, unit));
    }
    let milliseconds = |text: &str| {
        let microseconds = u32::try_from(nanoseconds(text)? / 1000).ok()?;
        Some(f64::from(microseconds) / 1000.0)
    };
    Some((milliseconds(from)?, milliseconds(to)?, "ms"))
}

/// A number and its unit.
fn split(text: &str) -> Option<(f64, &str)> {
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use crate::experiment::model::{Curve, Located, Place, Vary};

    fn values(from: &str, to: &str, steps: u32, curve: Curve) -> Option<Vec<String>> {
        let located = |text: &str| Located { value: text.to_owned(), place: Place { line: 1, column: 1 } };
        let vary = Vary { from: located(from), to: located(to), over: None, steps, curve };
        (0..=steps).map(|step| vary.value(step)).collect()
    }

    #[test]
    fn the_steps_between_two_ends() {
        let linear = |from, to, steps| values(from, to, steps, Curve::Linear).map(|values| values.join(" "));
        assert_eq!(linear("0%", "20%", 4).as_deref(), Some("0% 5% 10% 15% 20%"));
        assert_eq!(linear("20ms", "1s", 2).as_deref(), Some("20ms 510ms 1s"));
        assert_eq!(linear("1", "2", 3).as_deref(), Some("1 1 2 2"));
        assert_eq!(linear("5%", "1s", 2), None);
        let log = |from, to, steps| values(from, to, steps, Curve::Log).map(|values| values.join(" "));
        assert_eq!(log("1ms", "100ms", 2).as_deref(), Some("1ms 10ms 100ms"));
        assert_eq!(log("0ms", "100ms", 2), None);
    }
}
