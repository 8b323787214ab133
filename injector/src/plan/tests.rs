//! Plans against backends that can do known things, so that every road is walked on any machine.

mod changes;

use injector_common::{call::Run, loss::Loss, rule::FAULT_NETEM};

use super::*;
use crate::{
    kernel::{
        Mechanism, Unsupported,
        object::Ready,
        syscall::{AttachError, Attached, BackendKind, Sites, Verdicts},
    },
    spec,
    syscalls::{Entry, Machine},
};

/// Catches any call but those in `cannot`, at its first entry point; by fmod_ret it never returns 0.
struct Known {
    kind: BackendKind,
    cannot: &'static [&'static str],
}

impl Backend for Known {
    fn kind(&self) -> BackendKind {
        self.kind
    }

    fn can_run(&self) -> Result<(), Unsupported> {
        Ok(())
    }

    fn sites(&self, call: &Entry, verdicts: Verdicts) -> Result<Sites, Unsupported> {
        let refuse = |why: &str| Err(Unsupported::missing(Mechanism::FmodRet, why, "another kernel"));
        if self.cannot.contains(&call.name) {
            return refuse("not this call");
        }
        if verdicts.zero && self.kind == BackendKind::FmodRet {
            return refuse("not 0");
        }
        match call.entry_points().first() {
            Some(function) => {
                let site = Site { backend: self.kind, function: function.clone(), hook: 0 };
                Ok(Sites { sites: vec![site], mask: 0 })
            }
            None => refuse("not implemented"),
        }
    }

    fn attach(&self, _: &Ready, _: &[&Site]) -> Result<Vec<Attached>, AttachError> {
        Err(AttachError::NoFunction("none is attached here".into()))
    }
}

fn plan_with(rules: &[&str], insist: bool, cannot: &'static [&'static str]) -> Result<Plan, PlanError> {
    let options = Options { seed: 1, monitor: false, insist, duration: None, whole: true };
    Plan::new(&parsed(rules), options, 7, &backends(cannot))
}

fn backends(cannot: &'static [&'static str]) -> Vec<Box<dyn Backend>> {
    vec![
        Box::new(Known { kind: BackendKind::FmodRet, cannot }),
        Box::new(Known { kind: BackendKind::Kprobe, cannot }),
        Box::new(Known { kind: BackendKind::Kretprobe, cannot }),
    ]
}

fn parsed(rules: &[&str]) -> Vec<Rule> {
    let parse = |text: &&str| match text.strip_prefix("net ") {
        Some(net) => spec::net(net).unwrap(),
        None => spec::syscall(text, Machine::HOST).unwrap(),
    };
    rules.iter().map(parse).collect()
}

fn plan(rules: &[&str]) -> Result<Plan, PlanError> {
    plan_with(rules, false, &[])
}

fn runs(plan: &Plan) -> Vec<Run> {
    let runs = plan.calls.values().flat_map(|rules| [rules.run, rules.behind]).map(Run::of);
    runs.filter(|run| run.count > 0).collect()
}

fn kinds(plan: &Plan) -> BTreeSet<BackendKind> {
    plan.sites.iter().map(|site| site.backend).collect()
}

#[test]
fn several_rules_of_a_call_get_slots_in_their_order() {
    let plan = plan(&["fsync@64:error=EIO", "fdatasync@64:error=EIO", "fsync@64:error=ENOSPC"]).unwrap();
    let both: Vec<_> = runs(&plan).into_iter().filter(|run| run.count == 2).collect();
    assert_eq!(both.len(), 1);
    let base = both[0].base as usize;
    assert_eq!(plan.slots[base..base + 2].iter().map(|slot| slot.rule).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(plan.slots.len(), 3);
}

#[test]
fn each_end_of_a_call_has_a_run_of_its_own() {
    let plan =
        plan(&["read@64:error=EIO:count>4096", "read@64:error=EINTR:at=exit", "read@64:retval=0:on=failure"]);
    let plan = plan.unwrap();
    let rules = *plan.calls.values().next().unwrap();
    let (run, behind) = (Run::of(rules.run), Run::of(rules.behind));
    assert_eq!(run, Run { base: 0, count: 1, backend: BackendKind::FmodRet.number() });
    assert_eq!(behind, Run { base: 1, count: 2, backend: BackendKind::Kretprobe.number() });
    assert_eq!(
        plan.slots.iter().map(|slot| (slot.rule, slot.tests)).collect::<Vec<_>>(),
        [(0, 1), (1, 0), (2, 0)]
    );
    let test = plan.slots[0].arguments[0];
    assert_eq!((test.holds(4097), test.holds(4096)), (1, 0));
    assert_eq!(kinds(&plan), [BackendKind::FmodRet, BackendKind::Kretprobe].into());
    assert_eq!(plan.rules.iter().map(|rule| rule.calls).collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn slots_of_different_calls_do_not_overlap() {
    let rules = ["%file:error=EIO:when=3", "openat:error=EPERM:at=exit", "open,openat:error=EPERM"];
    let plan = plan(&rules).unwrap();
    let mut next = 0;
    let mut runs = runs(&plan);
    runs.sort_by_key(|run| run.base);
    for run in runs {
        assert_eq!(run.base, next);
        next += u32::from(run.count);
    }
    assert_eq!(plan.slots.len(), next as usize);
    let cells: BTreeSet<_> = plan.slots.iter().map(|slot| slot.cell).collect();
    assert_eq!(cells.len(), plan.slots.len());
}

#[test]
fn one_rule_that_returns_zero_takes_the_whole_function_to_the_kprobe() {
    assert_eq!(kinds(&plan(&["fsync:error=EIO"]).unwrap()), [BackendKind::FmodRet].into());
    let mixed = plan(&["fsync:error=EIO", "fsync:retval=0"]).unwrap();
    assert_eq!(kinds(&mixed), [BackendKind::Kprobe].into());
}

/// sync has no arguments and so one function for every ABI; a rule for one of them decides for all.
#[cfg(target_arch = "x86_64")]
#[test]
fn calls_that_share_a_function_share_its_program() {
    let plan = plan(&["sync@64:error=EIO", "sync@32:retval=0"]).unwrap();
    assert_eq!(plan.sites.len(), 1);
    assert_eq!(kinds(&plan), [BackendKind::Kprobe].into());
    assert_eq!(plan.calls.len(), 2);
}

#[test]
fn a_call_that_was_named_must_be_caught() {
    let error = plan_with(&["fsync:error=EIO"], false, &["fsync"]).unwrap_err();
    assert!(error.is_kernel());
    assert_eq!(error.hint(), "another kernel");
    assert!(error.to_string().contains("fsync"), "{error}");
}

#[test]
fn a_call_that_a_class_brought_is_left_out_and_noted() {
    let plan = plan_with(&["%desc:error=EIO"], false, &["fsync"]).unwrap();
    assert!(plan.notes.iter().any(|note| note.contains("cannot make fail") && note.contains("fsync")));
    assert!(plan.rules[0].calls > 50);
}

#[test]
fn dangerous_calls_need_insistence_and_the_deadly_never_do() {
    assert!(matches!(plan(&["close:error=EIO"]), Err(PlanError::Dangerous { call: "close", .. })));
    assert!(plan_with(&["close:error=EIO"], true, &[]).is_ok());
    assert!(matches!(
        plan_with(&["exit_group:error=EIO"], true, &[]),
        Err(PlanError::Never { call: "exit_group", .. })
    ));
    let class = plan(&["%desc:error=EIO"]).unwrap();
    assert!(class.notes.iter().any(|note| note.contains("close") && note.contains("not safe")));
}

#[test]
fn each_rule_has_a_seed_of_its_own() {
    let plan = plan(&["fsync:error=EIO:prob=5%", "fsync:error=EIO:prob=5%"]).unwrap();
    assert_ne!(plan.rules[0].kernel.seed, plan.rules[1].kernel.seed);
}

#[test]
fn packet_rules_need_no_calls() {
    let plan = plan(&["net ingress tcp dport 80 : loss 50%"]).unwrap();
    assert!(plan.needs_ingress() && !plan.needs_egress() && !plan.needs_calls());
    let rule = plan.rules[0].kernel;
    assert_eq!(rule.fault, FAULT_NETEM);
    assert_eq!(rule.netem.loss, Loss::random(1 << 31, 0));
    assert_eq!(rule.packets.protocols, injector_common::packet::TCP);
}

#[test]
fn what_packets_cannot_meet_yet_is_refused_with_the_reason() {
    for (rule, word) in [
        ("net delay 10ms", "`delay`"),
        ("net loss 1% rate 1mbit", "`rate`"),
        ("net limit 100", "`limit`"),
        ("net corrupt 1%", "`corrupt`"),
        ("net ingress : duplicate 1%", "`duplicate`"),
        ("net both : loss 1% corrupt 1% fixed", "`corrupt`"),
    ] {
        let error = plan(&["fsync:error=EIO", rule]).unwrap_err();
        assert!(error.to_string().contains(word) && !error.hint().is_empty(), "{error}");
    }
}

#[test]
fn too_much_is_refused() {
    let many = vec!["fsync:error=EIO"; MAX_RULES + 1];
    assert!(matches!(plan(&many), Err(PlanError::TooManyRules { given: 65 })));
    assert!(plan(&many[1..]).is_ok());
    let wide = vec!["all:error=EIO"; MAX_RULES];
    assert!(matches!(plan(&wide), Err(PlanError::TooManySlots { .. })));
    assert!(matches!(plan(&[]), Err(PlanError::NoRules)));
}
