//! The five examples of the design are read.

use crate::experiment::{
    file::{self, Given},
    model::{Captured, Experiment, Part, StepKind},
};

/// By name.
pub(in crate::experiment) const EXAMPLES: [(&str, &str); 5] = [
    ("etcd-leader.yaml", include_str!("etcd-leader.yaml")),
    ("retry-storm.yaml", include_str!("retry-storm.yaml")),
    ("redis-disk.yaml", include_str!("redis-disk.yaml")),
    ("compound.yaml", include_str!("compound.yaml")),
    ("ci.yaml", include_str!("ci.yaml")),
];

fn read(name: &str) -> Experiment {
    let (_, text) = EXAMPLES.into_iter().find(|(example, _)| *example == name).unwrap();
    file::read(name, text, &Given::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn an_alias_is_the_same_service_with_names_of_its_own() {
    let experiment = read("etcd-leader.yaml");
    let lab = experiment.lab.unwrap();
    assert_eq!(lab.services.keys().collect::<Vec<_>>(), ["etcd1", "etcd2", "etcd3"]);
    assert_eq!(lab.services["etcd1"].command, lab.services["etcd3"].command);
    let StepKind::Set(captures) = &experiment.method[0].kind else { panic!() };
    assert!(matches!(captures[0].from, Captured::Command { .. }));
    let StepKind::Fault(fault) = &experiment.method[1].kind else { panic!() };
    assert_eq!(fault.lasting.unwrap().as_secs(), 20);
    assert_eq!(fault.targets[0].to_string(), "${leader}");
    assert!(matches!(fault.parts[..], [Part::Cut(_)]));
}

#[test]
fn a_parameter_and_a_number_that_varies_may_have_one_name() {
    let experiment = read("retry-storm.yaml");
    let StepKind::Fault(fault) = &experiment.method[0].kind else { panic!() };
    assert_eq!(fault.vary["late"].to.value, "400ms");
    let Part::Rule(rule) = &fault.parts[0] else { panic!() };
    let varied = [("late".to_owned(), "20ms".to_owned())].into();
    assert!(rule.rule(|_| None, &varied).is_ok());
}

#[test]
fn the_other_examples_are_read() {
    assert_eq!(read("redis-disk.yaml").method.len(), 2);
    assert_eq!(read("ci.yaml").hypothesis.unwrap().during.len(), 1);
    let experiment = read("compound.yaml");
    let StepKind::Parallel(steps) = &experiment.method[0].kind else { panic!() };
    let paths: Vec<_> = steps.iter().map(|step| step.path.as_str()).collect();
    assert_eq!(paths, ["parallel/names", "parallel/sequence", "parallel/stalls", "parallel/disk"]);
}
