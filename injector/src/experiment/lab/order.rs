//! In which order services start: each after those that it names.

use std::collections::{BTreeMap, BTreeSet};

use crate::experiment::{lab::error::LabError, model::Service};

/// Services by name in waves: all of one wave start together, when those of the wave before are ready.
pub(super) fn waves(services: &BTreeMap<String, Service>) -> Result<Vec<Vec<String>>, LabError> {
    waves_of(&services.iter().map(|(name, service)| (name.as_str(), &service.after[..])).collect())
}

fn waves_of(after: &BTreeMap<&str, &[String]>) -> Result<Vec<Vec<String>>, LabError> {
    for (service, others) in after {
        if let Some(other) = others.iter().find(|other| !after.contains_key(other.as_str())) {
            return Err(LabError::AfterUnknown { service: (*service).into(), other: other.clone() });
        }
    }
    let mut waves = Vec::new();
    let mut begun: BTreeSet<&str> = BTreeSet::new();
    while begun.len() < after.len() {
        let mut wave = Vec::new();
        for (&name, others) in after {
            if !begun.contains(name) && others.iter().all(|other| begun.contains(other.as_str())) {
                wave.push(name);
            }
        }
        if wave.is_empty() {
            let left = after.keys().filter(|name| !begun.contains(**name)).map(|name| (*name).to_owned());
            return Err(LabError::Circle(left.collect()));
        }
        begun.extend(&wave);
        waves.push(wave.into_iter().map(str::to_owned).collect());
    }
    Ok(waves)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn waves(after: &[(&str, &[&str])]) -> Result<Vec<Vec<String>>, String> {
        let owned: BTreeMap<_, Vec<_>> = after
            .iter()
            .map(|(name, others)| (*name, others.iter().map(|&other| other.to_owned()).collect()))
            .collect();
        let borrowed = owned.iter().map(|(name, others)| (*name, &others[..])).collect();
        waves_of(&borrowed).map_err(|error| error.to_string())
    }

    #[test]
    fn each_after_those_that_it_names() {
        let shop: &[(&str, &[&str])] =
            &[("web", &["cache", "db"]), ("cache", &[]), ("db", &[]), ("load", &["web"])];
        assert_eq!(waves(shop).unwrap(), [vec!["cache", "db"], vec!["web"], vec!["load"]]);
        assert_eq!(waves(&[]).unwrap(), Vec::<Vec<String>>::new());
    }

    #[test]
    fn a_circle_and_a_stranger_are_refused() {
        let circle: &[(&str, &[&str])] = &[("a", &["b"]), ("b", &["a"]), ("c", &[])];
        assert_eq!(waves(circle).unwrap_err(), "services wait for each other: a, b");
        assert_eq!(
            waves(&[("a", &["x"])]).unwrap_err(),
            "service `a` is to start after `x`, which is no service"
        );
    }

    proptest! {
        #[test]
        fn nobody_starts_before_whom_it_waits_for(edges in prop::collection::vec((0usize..12, 0usize..12), 0..30)) {
            let names: Vec<_> = (0..12).map(|number| format!("s{number:02}")).collect();
            let mut after: BTreeMap<&str, Vec<String>> = names.iter().map(|name| (name.as_str(), vec![])).collect();
            for (from, to) in edges.into_iter().filter(|(from, to)| from > to) {
                after.get_mut(names[from].as_str()).unwrap().push(names[to].clone());
            }
            let borrowed = after.iter().map(|(name, others)| (*name, &others[..])).collect();
            let waves = waves_of(&borrowed).unwrap();
            let at = |name: &str| waves.iter().position(|wave| wave.iter().any(|one| one == name)).unwrap();
            prop_assert_eq!(waves.iter().map(Vec::len).sum::<usize>(), 12);
            for (name, others) in &after {
                prop_assert!(others.iter().all(|other| at(other) < at(name)));
            }
        }
    }
}
