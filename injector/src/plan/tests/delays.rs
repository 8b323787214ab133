//! Delays: which are refused, and who decides about a call that is to wait.

use std::time::Duration;

use injector_common::delay::{Delay, UNIFORM};

use crate::plan::tests::*;

fn backends_of(rules: &[&str]) -> Result<Vec<BackendKind>, PlanError> {
    Ok(plan(rules)?.sites.iter().map(|site| site.backend).collect())
}

#[test]
fn all_rules_of_a_call_that_waits_are_decided_in_one_place() {
    assert_eq!(backends_of(&["fsync@64:delay_enter=5ms"]).unwrap(), [BackendKind::CallDelay]);
    let both = ["fsync@64:delay_exit=5ms:when=2", "fsync@64:error=EIO:when=3"];
    assert_eq!(backends_of(&both).unwrap(), [BackendKind::CallDelay]);
    let apart = ["fsync@64:delay_exit=5ms", "read@64:error=EIO"];
    assert_eq!(backends_of(&apart).unwrap(), [BackendKind::FmodRet, BackendKind::CallDelay]);
    let behind = ["fsync@64:delay_exit=5ms", "fsync@64:error=EIO:at=exit"];
    assert_eq!(backends_of(&behind).unwrap(), [BackendKind::Kretprobe, BackendKind::CallDelay]);
}

#[test]
fn the_kernel_side_gets_nanoseconds_and_is_loaded_for_them() {
    let found = plan(&["fsync@64:delay_enter=500us:delay_exit=2s"]).unwrap();
    let rule = &found.rules[0].kernel;
    assert_eq!((rule.delay_enter.base, rule.delay_exit.base), (500_000, 2_000_000_000));
    assert_eq!((rule.delay_enter.jitter, rule.delay_enter.table), (0, UNIFORM));
    assert!(found.delays_calls() && !rule.decides());
    assert!(!plan(&["fsync:error=EIO"]).unwrap().delays_calls());
}

/// Tables are numbered over all rules, whatever layer they are on.
#[test]
fn calls_operations_and_packets_share_their_distributions() {
    let rules = [
        "fsync:delay_enter=10ms~2ms:delay_exit=1ms:distribution=pareto",
        "net delay 10ms 2ms distribution normal",
        "io open:delay=20ms~5ms:distribution=normal",
        "read:delay_exit=10ms~2ms",
    ];
    let found = plan(&rules).unwrap();
    let [call, packets, operation, uniform] = &found.rules[..] else { panic!("{found:?}") };
    let Delay { base, jitter, table, .. } = call.kernel.delay_enter;
    assert_eq!((base, jitter, table), (10_000_000, 2_000_000, 0));
    assert_eq!((call.kernel.delay_exit.jitter, call.kernel.delay_exit.table), (0, 0));
    assert_eq!((packets.kernel.netem.timing.delay.table, operation.kernel.delay_enter.table), (1, 1));
    assert_eq!((uniform.kernel.delay_exit.jitter, uniform.kernel.delay_exit.table), (2_000_000, UNIFORM));
    assert_eq!(found.distributions.tables().count(), 2);
    let missing = plan(&["fsync:delay_enter=1ms~1ms:distribution=/no/such.dist"]);
    assert!(matches!(missing, Err(PlanError::Distribution { .. })));
}

/// The tables end at four jitters, the uniform distribution at one.
#[test]
fn no_draw_is_longer_than_allowed() {
    for (rule, latest) in [
        ("fsync:delay_enter=8s~2001ms", Some(10_001)),
        ("fsync:delay_enter=8s~2s", None),
        ("fsync:delay_enter=8s~501ms:distribution=normal", Some(10_004)),
        ("fsync:delay_exit=8s~500ms:distribution=normal", None),
        ("io open:delay=2s~2001ms:distribution=pareto", Some(10_004)),
        ("fsync:delay_enter=1ms~9999999999s", Some(9_999_999_999_001)),
        ("fsync:delay_enter=9999999999s", Some(9_999_999_999_000)),
    ] {
        match (plan(&[rule]), latest) {
            (Ok(_), None) => {}
            (Err(error @ PlanError::DelayTooLong { .. }), Some(latest)) => {
                let told = humantime::format_duration(Duration::from_millis(latest)).to_string();
                assert!(error.to_string().contains(&format!("by up to {told}, ")), "{error}");
                assert!(error.hint().contains(&format!("--max-call-delay {}s", latest.div_ceil(1000))));
            }
            (found, _) => panic!("{rule}: {found:?}"),
        }
    }
    // What is drawn may be short; what is meant may not.
    assert!(plan(&["fsync:delay_enter=1ms~1ms"]).is_ok());
    assert!(matches!(plan(&["fsync:delay_enter=100us~1ms"]), Err(PlanError::DelayTooShort { .. })));
}

#[test]
fn what_cannot_be_slept_is_refused() {
    assert!(matches!(plan(&["fsync:delay_enter=199us"]), Err(PlanError::DelayTooShort { .. })));
    assert!(plan(&["fsync:delay_enter=200us"]).is_ok());
    assert!(matches!(plan(&["fsync:delay_exit=10001ms"]), Err(PlanError::DelayTooLong { .. })));
    assert!(plan(&["fsync:delay_exit=10s"]).is_ok());
    for moment in ["at=exit", "on=success", "on=failure"] {
        let rule = format!("fsync:delay_exit=1ms:{moment}:error=EIO");
        assert!(matches!(plan(&[&rule]), Err(PlanError::DelayBehind { .. })), "{rule}");
    }
    let both = plan(&["fsync:delay_enter=1ms", "fsync:retval=0"]);
    assert!(matches!(both, Err(PlanError::Kernel { .. })), "fmod_ret returns no 0, a kprobe does not wait");
}

/// sync is one function for every ABI: what a kprobe keeps from running, a trampoline would run.
#[test]
fn a_kprobe_and_a_delay_do_not_meet_at_one_function() {
    let error = plan(&["sync@64:delay_enter=1ms", "sync@32:retval=0"]).unwrap_err();
    assert!(error.to_string().contains("other ABI"), "{error}");
}

/// A delay is never harmful in the way a failure is, but the calls that nothing may touch stay untouched.
#[test]
fn dangerous_calls_may_wait() {
    assert!(plan(&["futex:delay_enter=1ms"]).is_ok());
    assert!(matches!(plan(&["exit_group:delay_enter=1ms"]), Err(PlanError::Never { .. })));
}

fn sites_of(rules: &[&str], allow_unsafe: bool) -> Result<Vec<(BackendKind, String)>, PlanError> {
    let plan = plan_with(rules, allow_unsafe, &[])?;
    Ok(plan.sites.into_iter().map(|site| (site.backend, site.function)).collect())
}

#[test]
fn all_rules_at_a_hook_where_somebody_waits_are_decided_in_one_place() {
    let hook = |name: &str| (BackendKind::Hook, format!("security_{name}"));
    let waits = |name: &str| (BackendKind::CallDelayHook, format!("security_{name}"));
    let rules = ["io open,connect:error=EIO", "io open:delay=5ms:path=/a"];
    assert_eq!(sites_of(&rules, false).unwrap(), [hook("socket_connect"), waits("file_open")]);
    let plan = plan(&rules).unwrap();
    assert_eq!((plan.rules[1].kernel.delay_enter.base, plan.rules[1].kernel.decides()), (5_000_000, false));
    let open = plan.calls.values().map(|rules| Run::of(rules.run)).find(|run| run.count == 2).unwrap();
    let slots = &plan.slots[open.base as usize..open.base as usize + 2];
    assert_eq!([slots[0].rule, slots[1].rule], [0, 1], "in the order of the command line");
}

#[test]
fn who_would_wait_with_a_lock_in_his_hand_has_to_be_wanted() {
    let refused = sites_of(&["io rename:delay=5ms"], false).unwrap_err();
    assert!(refused.to_string().contains("the lock of both folders"), "{refused}");
    assert!(refused.hint().contains("--unsafe"));
    assert!(sites_of(&["io rename:delay=5ms"], true).is_ok());
    assert!(matches!(sites_of(&["io open:delay=11s"], false), Err(PlanError::DelayTooLong { .. })));
    assert!(sites_of(&["io open:delay=forever"], false).is_ok());
}
