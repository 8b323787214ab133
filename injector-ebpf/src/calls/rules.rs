//! The way from "this call of this thread" to "what it returns": every rule of the call is asked, in
//! order, and all of them count.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_loop, bpf_send_signal_thread};
use injector_common::{
    call::{CallRules, Run, Slot, entry},
    code::BackendCode,
    config::{
        USES_ARGUMENTS, USES_CHOICES, USES_DELAYS, USES_NAMES, USES_OBJECTS, USES_OUTCOMES, USES_SIGNALS,
    },
    counters::Reason,
    decide::{Decision, decide, named, outcome_matches, result},
    rule::Rule,
    thread::Thread,
};

use crate::{
    atomic,
    calls::{
        call_ctx::{CallCtx, KEPT},
        occurrence::identity,
        pending,
    },
    config::{config, uses},
    maps::{CALLS, COUNTERS, RULES, SHARED, read, standing, suppress},
    objects::{matching::object_complete, object, seen::Seen},
    report,
    task::{self, Call},
    trace,
};

/// What the loop over the rules gets: `bpf_loop` takes only a pointer to the stack.
struct Walk {
    ctx: *mut CallCtx,
    /// The thread's state, null when it could not be kept.
    state: *mut Thread,
}

/// The rules that `backend` asks about a call, and the call's entry, for the hooks. `None` when there are
/// none, or when they are another backend's to ask: while a plan changes, a call can pass programs of two.
#[inline(always)]
pub fn rules_of(call: &Call, backend: BackendCode) -> Option<(Run, &'static CallRules)> {
    let rules = CALLS.get(entry(call.abi, call.number)?)?;
    let run = read(if backend == BackendCode::KRETPROBE { &rules.behind } else { &rules.run });
    if run.count == 0 || u32::from(run.backend) != backend.number() { None } else { Some((run, rules)) }
}

/// Asks every rule of `ctx` about the call that the running task is in. At a hook, the thread's object is turned to what
/// the hook is about. 1 if the call is to return the context's value, 0 to leave it alone.
///
/// A global function to the verifier, which goes through it once (kernel/bpf/verifier.c, `do_check_subprogs`), whatever
/// ways lead to it, and knows nothing of what stands in the context: otherwise each way would multiply the ways past the
/// rules.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn calls_pass(ctx: *mut CallCtx) -> u32 {
    let mut walk = Walk { ctx, state: core::ptr::null_mut() };
    if ctx.is_null() {
        return 0;
    }
    // SAFETY: not null, and the caller's.
    let ctx = unsafe { &mut *ctx };
    if !ctx.begin(&mut walk.state) {
        return 0;
    }
    let mut rounds = ctx.calls.count();
    if uses(USES_OBJECTS) {
        if !ctx.at_hook() {
            turn(ctx);
        }
        rounds += ctx.operations.count();
    }
    // SAFETY: the callback has the shape that the helper wants and gets the walk; both outlive it.
    unsafe { bpf_loop(rounds, consider as *mut c_void, (&raw mut walk).cast(), 0) };
    // The one place where a call's verdict leaves the rules: under `--monitor` none does, whatever was decided.
    u32::from(ctx.decided && config!(monitor) == 0)
}

/// Turns the thread's object to nothing yet, or leaves it where it was turned before the call ran.
#[inline(always)]
fn turn(ctx: &mut CallCtx) {
    let object = object::of_thread();
    if object.is_null() {
        return;
    }
    // SAFETY: not null, and the running thread's own.
    let object = unsafe { &mut *object };
    if !object.is_kept_for(&ctx.call) {
        object.turn_to(Seen::UNKNOWN);
        return;
    }
    ctx.opened = KEPT;
    if ctx.backend == BackendCode::KRETPROBE {
        object.let_go();
    }
}

/// One rule of the loop.
unsafe extern "C" fn consider(index: u64, walk: *mut Walk) -> i64 {
    // SAFETY: what `calls_pass` handed to the loop.
    let (ctx, state) = unsafe { (&mut *(*walk).ctx, (*walk).state) };
    let Some(slot) = ctx.next(index as u32) else { return 1 };
    let (Some(rule), Some(counters)) = (RULES.get(slot.entry), COUNTERS.get(slot.rule)) else { return 1 };
    if uses(USES_OUTCOMES) && !outcome_matches(rule, ctx.outcome()) || !meant(ctx, rule, slot) {
        return 0;
    }
    let object = if uses(USES_OBJECTS) { ctx.object_meant(slot) } else { Some(true) };
    if object == Some(false) {
        return 0;
    }
    let before = atomic::fetch_add(&counters.matched, 1);
    let at = if object.is_some() { identity(ctx, state, (rule, slot), before) } else { None };
    let Some(at) = at else {
        suppress(counters, Reason::NoCounter);
        return 0;
    };
    let decides = !uses(USES_SIGNALS | USES_DELAYS) || rule.decides();
    let overruled = ctx.decided && rule.decides();
    let effect = || if overruled { Err(Reason::Overruled) } else { Ok(()) };
    let ticket = || atomic::fetch_add(&counters.tickets, 1);
    let decision = decide(rule, at, standing(slot.rule, ctx.alive), effect, ticket);
    trace::call(&ctx.call, slot.rule, at, &decision);
    match decision {
        Decision::Fires(()) => {
            // Only those that send signals or have the thread wait may leave the result alone.
            if decides {
                ctx.decided = true;
                ctx.value = if uses(USES_CHOICES) { result(rule, at) } else { rule.value };
            }
            if uses(USES_SIGNALS) && rule.signal != 0 {
                // SAFETY: a number; what it cannot reach (a kernel thread, init) it leaves alone.
                unsafe { bpf_send_signal_thread(rule.signal) };
            }
            if uses(USES_DELAYS) {
                pending::ask(state, rule, at);
            }
            atomic::add(&counters.fired, 1);
            tell((ctx, state), slot, rule, at.number);
        }
        Decision::Monitored(()) => {
            ctx.decided |= decides;
            suppress(counters, Reason::Monitored);
        }
        Decision::Suppressed(reason) => suppress(counters, reason),
    }
    0
}

/// Reports a fault.
#[inline(always)]
fn tell(of: (&CallCtx, *mut Thread), slot: &Slot, rule: &Rule, decision: u64) {
    if !report::wanted() {
        return;
    }
    if !uses(USES_OBJECTS) || slot.operation == 0 && !slot.object.chooses() {
        return report::call(of, slot.rule, rule, decision);
    }
    let object = object::of_thread();
    if object.is_null() {
        atomic::add(&SHARED.lost_events, 1);
        return;
    }
    object_complete(object);
    // SAFETY: not null, and the running thread's own.
    report::about(of, (slot.rule, rule, decision), slot.operation, unsafe { &*object });
}

/// Does the rule mean this thread, and a call with these arguments?
#[inline(always)]
fn meant(ctx: &CallCtx, rule: &Rule, slot: &Slot) -> bool {
    if uses(USES_NAMES) && rule.comm_mask[0] != 0 && !named(rule, task::comm()) {
        return false;
    }
    if !uses(USES_ARGUMENTS) || slot.tests == 0 {
        return true;
    }
    // Added up rather than left at the first that does not hold: one way for the verifier, whatever holds.
    let mut all = 1;
    for test in slot.arguments.iter().take(slot.tests as usize) {
        let mut one = test.holds(ctx.call.register(test.first));
        if test.second != test.first {
            one |= test.holds(ctx.call.register(test.second));
        }
        all &= one;
    }
    all != 0
}
