//! Which of a rule's matches fire, in words.

use crate::spec::{
    trigger::{Scope, Trigger, When},
    units::Probability,
};

/// `: only the 3rd of each thread, with a probability of 5%`; empty where every match fires. `counted` says of what
/// there is a 3rd, by the scope.
pub(super) fn clause(trigger: &Trigger, counted: impl Fn(Scope) -> &'static str) -> String {
    let mut parts = Vec::new();
    if trigger.when != When::ALWAYS {
        parts.push(format!("{} {}", numbers(trigger.when), counted(trigger.scope)));
    }
    if trigger.probability != Probability::ALWAYS {
        parts.push(format!("with a probability of {}", trigger.probability));
    }
    match trigger.times {
        None => {}
        Some(1) => parts.push("once in all".into()),
        Some(times) => parts.push(format!("at most {times} times in all")),
    }
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

fn numbers(When { first, last, step }: When) -> String {
    let each = if step == 1 { String::new() } else { format!("every {} from ", nth(step)) };
    let first_one = nth(first);
    match last {
        Some(last) if last == first => format!("only the {first_one}"),
        Some(last) => format!("{each}the {first_one} to the {}", nth(last)),
        None if step == 1 => format!("from the {first_one} on"),
        None => format!("{each}the {first_one} on"),
    }
}

fn nth(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::nth;

    #[test]
    fn ordinal_numbers() {
        let written = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111, 1003].map(nth);
        assert_eq!(written.join(" "), "1st 2nd 3rd 4th 11th 12th 13th 21st 102nd 111th 1003rd");
    }
}
