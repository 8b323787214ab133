//! `injector doctor --rule`: whether this kernel can have a rule, by what, or what it can have instead.

use std::collections::BTreeMap;

use injector::{
    engine::{EngineError, Injector},
    kernel::probe,
    plan::{
        Options, Plan,
        unsupported::{Mechanism, Unsupported},
    },
    spec::{
        model::{Rule, RuleKind},
        process::model::ProcessAction,
        user_space::UserSpaceRule,
    },
};

use crate::cli::{
    color,
    exit::{Code, Failure},
    output,
};

/// Tells it of each, and gives the code of the first that cannot be had.
pub(super) fn tell(texts: &[String], allow_unsafe: bool) -> Result<Code, Failure> {
    let rules = texts.iter().map(|text| text.parse::<Rule>()).collect::<Result<Vec<_>, _>>()?;
    let mut code = Code::OK;
    for rule in rules {
        let (lines, found) = of(&rule, allow_unsafe);
        output::out(&lines.iter().map(|line| line.clone() + "\n").collect::<String>())?;
        if code.is_ok() {
            code = found;
        }
    }
    Ok(code)
}

fn of(rule: &Rule, allow_unsafe: bool) -> (Vec<String>, Code) {
    let text = output::shown(&rule.text);
    match ways(rule, allow_unsafe) {
        Ok((ways, notes)) => {
            let mut lines = vec![format!("{}  {text}", color::good("yes"))];
            lines.extend(ways.iter().map(|way| format!("     by:   {way}")));
            lines.extend(notes.iter().map(|note| format!("     note: {}", output::shown(note))));
            (lines, Code::OK)
        }
        Err(error) => {
            let mut lines = vec![format!("{}  {text}", color::bad("no "))];
            let (why, hint) = (error.to_string(), error.hint());
            lines.extend(why.lines().map(|line| format!("     why:  {}", output::shown(line.trim()))));
            if !hint.is_empty() {
                lines.push(format!("     do:   {}", output::shown(hint)));
            }
            (lines, error.blame().into())
        }
    }
}

/// By what a rule would be had, with what there is to note.
fn ways(rule: &Rule, allow_unsafe: bool) -> Result<(Vec<String>, Vec<String>), EngineError> {
    let mut options = Options::default();
    options.allow_unsafe = allow_unsafe;
    let plan = Injector::new()?.rule(rule.clone()).plan(options)?;
    let mut ways = at_functions(&plan);
    ways.extend(on_packets(&plan));
    ways.extend(on_processes(rule)?);
    Ok((ways, plan.notes))
}

/// The backends that catch calls and operations, each with how many functions.
fn at_functions(plan: &Plan) -> Vec<String> {
    let mut by_backend: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for site in &plan.sites {
        by_backend.entry(site.backend).or_default().push(&site.function);
    }
    let way = |(backend, functions): (_, Vec<&str>)| match functions[..] {
        [ref first @ .., last] if functions.len() <= 3 => {
            format!("{backend} at {}", [first, &[last]].concat().join(", "))
        }
        _ => format!("{backend} at {} functions of the kernel", functions.len()),
    };
    by_backend.into_iter().map(way).collect()
}

fn on_packets(plan: &Plan) -> Vec<String> {
    let devices = || probe::btf().and_then(|btf| probe::probe(Mechanism::Tcx, &btf));
    let devices =
        |needed: bool| needed.then(|| if devices().is_ok() { Mechanism::Tcx } else { Mechanism::Clsact });
    let mechanisms = [
        devices(plan.needs_devices()),
        plan.needs_ingress().then_some(Mechanism::CgroupIngress),
        plan.needs_connect().then_some(Mechanism::CgroupConnect),
        plan.delay_line.map(|_| Mechanism::DelayLine),
    ];
    let way = |mechanism: Mechanism| format!("{mechanism}: {}", mechanism.purpose());
    mechanisms.into_iter().flatten().map(way).collect()
}

/// A pause of cgroups and one of process trees need different things; one of them is enough.
fn on_processes(rule: &Rule) -> Result<Vec<String>, Unsupported> {
    let RuleKind::UserSpace(UserSpaceRule::Process(rule)) = &rule.kind else { return Ok(Vec::new()) };
    let mechanisms = match rule.action {
        ProcessAction::Pause { .. } => vec![Mechanism::Freezer, Mechanism::Pidfd],
        ProcessAction::Kill(_) => vec![Mechanism::Pidfd],
    };
    let btf = probe::btf()?;
    let tried = mechanisms.into_iter().map(|mechanism| (mechanism, probe::probe(mechanism, &btf)));
    let (works, fails): (Vec<_>, Vec<_>) = tried.partition(|(_, result)| result.is_ok());
    match fails.into_iter().find_map(|(_, result)| result.err()).filter(|_| works.is_empty()) {
        Some(cause) => Err(cause),
        None => Ok(works.iter().map(|(way, _)| format!("{way}: {}", way.purpose())).collect()),
    }
}
