//! The rules that a fault of the method stands for, at a moment at which its numbers and names are known.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    experiment::{
        model::{Cut, CutFrom, Fault, Part, ProcessFault, Way},
        schedule::stages,
    },
    spec::model::Rule,
};

/// What names mean.
pub(super) trait Names {
    /// The value of `${name}`.
    fn value(&self, name: &str) -> Option<String>;
    /// The address of a service of the lab.
    fn address(&self, service: &str) -> Option<IpAddr>;
    /// The addresses of all services but these.
    fn others(&self, services: &[String]) -> Vec<IpAddr>;
}

/// The rules of a fault whose targets are `targets`, with these numbers in them. Parts that are no rules are left out.
///
/// # Errors
/// What is wrong, as a sentence; `check` has told of all but what depends on captured names.
pub(super) fn rules(
    fault: &Fault,
    targets: &[String],
    varied: &BTreeMap<String, String>,
    names: &impl Names,
) -> Result<Vec<Rule>, String> {
    let mut rules = Vec::new();
    for part in &fault.parts {
        match part {
            // No rule of any grammar never acts: of a number that is zero there is none.
            Part::Rule(template) if template.is_idle(varied) => (),
            Part::Rule(template) => {
                let rule = template.rule(|name| names.value(name), varied);
                rules.push(rule.map_err(|error| format!("{error}; {}", error.hint()))?);
            }
            Part::Cut(cut) => rules.extend(partition(cut, targets, names)?),
            Part::Process(process) => rules.extend(of_process(process.value)?),
        }
    }
    Ok(rules)
}

/// All rules that a fault will ever have: those at both ends of what varies, between which only numbers differ.
///
/// # Errors
/// As [`rules`].
pub(super) fn repertoire(fault: &Fault, targets: &[String], names: &impl Names) -> Result<Vec<Rule>, String> {
    let end = |to: bool| -> Result<BTreeMap<_, _>, String> {
        let value = |(name, vary): (&String, &crate::experiment::model::Vary)| {
            let stages = stages(vary, std::time::Duration::ZERO).map_err(|error| error.to_string())?;
            let stage = if to { stages.last() } else { stages.first() };
            Ok((name.clone(), stage.map(|stage| stage.value.to_string()).unwrap_or_default()))
        };
        fault.vary.iter().map(value).collect()
    };
    let mut all = rules(fault, targets, &end(true)?, names)?;
    if !fault.vary.is_empty() {
        all.extend(rules(fault, targets, &end(false)?, names)?);
    }
    Ok(all)
}

/// A partition is a rule for each way.
fn partition(cut: &Cut, targets: &[String], names: &impl Names) -> Result<Vec<Rule>, String> {
    let whom = match &cut.from.value {
        CutFrom::All => None,
        CutFrom::Peers => Some(names.others(targets).iter().map(ToString::to_string).collect::<Vec<_>>()),
        CutFrom::Named(all) => {
            let one = |template: &crate::experiment::model::Template| {
                let name = template.fill(|name| names.value(name)).map_err(|missing| missing.to_string())?;
                Ok(names.address(&name).map_or(name, |address| address.to_string()))
            };
            Some(all.iter().map(one).collect::<Result<_, String>>()?)
        }
    };
    if whom.as_ref().is_some_and(Vec::is_empty) {
        return Err("there is nobody to be cut off from".to_owned());
    }
    let whom = whom.map(|whom| whom.join(","));
    let rule = |way: &str, word: &str| {
        let text = match &whom {
            Some(whom) => format!("net={way} {word} {whom} : partition"),
            None => format!("net={way} : partition"),
        };
        text.parse().map_err(|error: crate::spec::SpecError| format!("{error}; {}", error.hint()))
    };
    let out = (cut.way != Way::In).then(|| rule("egress", "to"));
    let back = (cut.way != Way::Out).then(|| rule("ingress", "from"));
    out.into_iter().chain(back).collect()
}

fn of_process(fault: ProcessFault) -> Result<Option<Rule>, String> {
    let text = match fault {
        ProcessFault::Pause => "process=pause".to_owned(),
        ProcessFault::Kill(signal) => format!("process=kill {signal}"),
        ProcessFault::Restart => return Ok(None),
    };
    text.parse().map(Some).map_err(|error: crate::spec::SpecError| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        net::{IpAddr, Ipv4Addr},
    };

    use super::{Names, repertoire, rules};
    use crate::experiment::model::{
        Curve, Cut, CutFrom, Fault, Located, Part, Place, RuleTemplate, Template, Vary, Way,
    };

    struct Three;

    impl Names for Three {
        fn value(&self, name: &str) -> Option<String> {
            (name == "port").then(|| "80".to_owned())
        }

        fn address(&self, service: &str) -> Option<IpAddr> {
            let last = ["a", "b", "c"].iter().position(|name| *name == service)?;
            Some(IpAddr::V4(Ipv4Addr::new(10, 77, 0, u8::try_from(last + 2).ok()?)))
        }

        fn others(&self, services: &[String]) -> Vec<IpAddr> {
            let others = ["a", "b", "c"].into_iter().filter(|name| !services.iter().any(|one| one == name));
            others.filter_map(|name| self.address(name)).collect()
        }
    }

    fn located<T>(value: T) -> Located<T> {
        Located { value, place: Place { line: 1, column: 1 } }
    }

    fn fault(parts: Vec<Part>) -> Fault {
        Fault {
            name: "f".into(),
            targets: Vec::new(),
            parts,
            lasting: None,
            background: false,
            vary: BTreeMap::new(),
            pulse: None,
        }
    }

    fn shown(rules: Result<Vec<crate::spec::model::Rule>, String>) -> Vec<String> {
        match rules {
            Ok(rules) => rules.iter().map(ToString::to_string).collect(),
            Err(error) => vec![error],
        }
    }

    #[test]
    fn a_cut_is_a_rule_for_each_way() {
        let cut = |from, way| fault(vec![Part::Cut(Cut { from: located(from), way })]);
        let of = |fault: &Fault| shown(rules(fault, &["b".to_owned()], &BTreeMap::new(), &Three));
        assert_eq!(
            of(&cut(CutFrom::Peers, Way::Both)),
            [
                "net=egress to 10.77.0.2,10.77.0.4 : partition",
                "net=ingress from 10.77.0.2,10.77.0.4 : partition"
            ]
        );
        let named = CutFrom::Named(vec![Template::new("c"), Template::new("192.0.2.1")]);
        assert_eq!(of(&cut(named, Way::In)), ["net=ingress from 10.77.0.4,192.0.2.1 : partition"]);
        assert_eq!(of(&cut(CutFrom::All, Way::Out)), ["net=egress : partition"]);
        assert_eq!(of(&cut(CutFrom::Named(Vec::new()), Way::Out)), ["there is nobody to be cut off from"]);
    }

    #[test]
    fn what_varies_and_what_is_captured_stands_in_the_rule() {
        let text = Template::new("tcp dport ${port} : loss {p}");
        let mut fault = fault(vec![Part::Rule(located(RuleTemplate { grammar: "net", text }))]);
        let (from, to) = (located("1%".to_owned()), located("20%".to_owned()));
        fault.vary.insert("p".into(), Vary { from, to, over: None, steps: 3, curve: Curve::Linear });
        let varied = BTreeMap::from([("p".to_owned(), "5%".to_owned())]);
        assert_eq!(shown(rules(&fault, &[], &varied, &Three)), ["net=egress tcp dport 80 : loss 5%"]);
        assert_eq!(
            shown(repertoire(&fault, &[], &Three)),
            ["net=egress tcp dport 80 : loss 20%", "net=egress tcp dport 80 : loss 1%"]
        );
    }
}
