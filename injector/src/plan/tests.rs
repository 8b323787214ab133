//! Plans against backends that can do known things, so that every case is tried on any machine.

mod changes;
mod delays;

use injector_common::{
    address_set::{Element, Sets},
    call::{Run, hook_entry},
    code::{FaultCode, MomentCode},
    config::USES_ANSWERS,
    loss::Loss,
    netem::{SPLIT, UNFIXED, VIA_DELAY_LINE},
    packet::{ANY_PROTOCOL, Packet, TCP, UDP, mapped},
    reject::{BY_PROTOCOL, FORBIDDEN, NO_PORT, RESET},
};

use crate::{
    operations::Operation,
    plan::{
        backend::{BackendKind, Sites, Verdicts},
        unsupported::{Mechanism, Unsupported},
        *,
    },
    spec,
    syscalls::{Entry, Machine},
};

/// Catches any call but those in `cannot`, at its first entry point; by fmod_ret it never returns 0. As the
/// hooks, calls that are asked about what only hooks know, and every operation but `stat`.
struct Known {
    kind: BackendKind,
    cannot: &'static [&'static str],
}

impl Backend for Known {
    fn kind(&self) -> BackendKind {
        self.kind
    }

    fn delays(&self) -> bool {
        matches!(self.kind, BackendKind::CallDelay | BackendKind::CallDelayHook)
    }

    fn can_run(&self) -> Result<(), Unsupported> {
        Ok(())
    }

    fn sites(&self, call: &Entry, verdicts: Verdicts) -> Result<Sites, Unsupported> {
        let refuse = |why: &str| Err(Unsupported::missing(Mechanism::FmodRet, why, "another kernel"));
        if self.cannot.contains(&call.name) {
            return refuse("not this call");
        }
        if verdicts.zero
            && matches!(self.kind, BackendKind::FmodRet | BackendKind::CallDelay | BackendKind::CallDelayHook)
        {
            return refuse("not 0");
        }
        if verdicts.by_hook != (self.kind == BackendKind::Hook) {
            return refuse("not at this place");
        }
        match call.entry_points().first() {
            Some(function) => {
                let hook = if self.kind == BackendKind::Hook { 99 } else { 0 };
                let site = Site { backend: self.kind, function: function.clone(), hook };
                Ok(Sites { sites: vec![site], mask: 0 })
            }
            None => refuse("not implemented"),
        }
    }

    fn operation_sites(&self, operation: &Operation) -> Result<Vec<Site>, Unsupported> {
        if operation.name == "stat" {
            return Err(Unsupported::missing(Mechanism::Hook, "not here", "another kernel"));
        }
        let site = |(&(function, _), hook): (&(&str, _), u16)| {
            let number = u16::from(function.as_bytes()[14]) + hook - 96;
            Site { backend: self.kind, function: function.to_owned(), hook: number }
        };
        Ok(operation.hooks.iter().zip(0..).map(site).collect())
    }
}

fn plan_with(rules: &[&str], allow_unsafe: bool, cannot: &'static [&'static str]) -> Result<Plan, PlanError> {
    let backends = backends(cannot);
    plan_by(rules, allow_unsafe, &known(&backends))
}

fn plan_by(rules: &[&str], allow_unsafe: bool, backends: &[&dyn Backend]) -> Result<Plan, PlanError> {
    let options = Options { allow_unsafe, ..Options::default().seed(1).once().whole() };
    let rules = parsed(rules);
    Plan::new(&rules, &read_files(&rules)?, options, 7, backends)
}

fn backends(cannot: &'static [&'static str]) -> Vec<Known> {
    vec![
        Known { kind: BackendKind::FmodRet, cannot },
        Known { kind: BackendKind::Kprobe, cannot },
        Known { kind: BackendKind::Hook, cannot },
        Known { kind: BackendKind::Kretprobe, cannot },
        Known { kind: BackendKind::CallDelay, cannot },
        Known { kind: BackendKind::CallDelayHook, cannot },
    ]
}

fn known(backends: &[Known]) -> Vec<&dyn Backend> {
    backends.iter().map(|known| known as &dyn Backend).collect()
}

fn parsed(rules: &[&str]) -> Vec<Rule> {
    let parse = |text: &&str| match text.strip_prefix("net ") {
        Some(net) => spec::net(net).unwrap(),
        None if text.starts_with("io ") => spec::operation(&text[3..]).unwrap(),
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
    assert!(error.fault().is_some());
    assert!(
        error.hint().ends_with("comes nearest: --io 'write:error=EIO'; or another kernel"),
        "{}",
        error.hint()
    );
    assert!(error.to_string().contains("fsync"), "{error}");
}

#[test]
fn a_number_is_enough_under_one_abi() {
    // 51 is getsockname, and acct for i386.
    let plan = plan_with(&["51:error=EIO"], false, &["acct"]).unwrap();
    assert!(plan.notes.iter().any(|note| note.contains("cannot make fail (1): acct")), "{:?}", plan.notes);
    assert!(plan_with(&["51@32:error=EIO"], false, &["acct"]).unwrap_err().fault().is_some());
    assert!(plan_with(&["acct:error=EIO"], false, &["acct"]).unwrap_err().fault().is_some());
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_call_of_32_bit_programs_is_noted_where_it_is_named() {
    let notes = |rule: &str| plan(&[rule]).unwrap().notes.join("\n");
    let told = "only 32-bit programs have the call umount; 64-bit programs make umount2";
    assert!(notes("umount:error=EIO").contains(told));
    assert!(notes("umount2,?umount:error=EIO").contains(told));
    for quiet in ["umount2:error=EIO", "umount@32:error=EIO", "%file:error=EIO", "/^umount:error=EIO"] {
        assert!(!notes(quiet).contains("32-bit"), "{quiet}");
    }
}

#[test]
fn a_call_that_a_class_brought_is_left_out_and_noted() {
    let plan = plan_with(&["%desc:error=EIO"], false, &["fsync"]).unwrap();
    assert!(plan.notes.iter().any(|note| note.contains("cannot make fail") && note.contains("fsync")));
    assert!(plan.rules[0].calls > 50);
}

#[test]
fn dangerous_calls_need_unsafe_and_the_deadly_never_do() {
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
    assert_eq!(rule.fault, FaultCode::NETEM);
    assert_eq!(rule.netem.loss, Loss::random(1 << 31, 0));
    assert_eq!(rule.packets.protocols, TCP);
}

/// What comes in is lost where it is met, and goes through the delay line for all else.
#[test]
fn which_way_packets_go() {
    for (rule, via, directions) in [
        ("net ingress : loss 1%", 0, None),
        ("net ingress : partition", 0, None),
        ("net loss 1%", SPLIT, Some(EGRESS)),
        ("net both : loss 1%", SPLIT, Some(EGRESS)),
        ("net icmp : loss 1%", 0, None),
        ("net delay 1ms", VIA_DELAY_LINE, Some(EGRESS)),
        ("net ingress : delay 1ms", VIA_DELAY_LINE_IN, Some(INGRESS)),
        ("net ingress : rate 1mbit loss 1%", VIA_DELAY_LINE_IN | SPLIT, Some(INGRESS)),
        ("net ingress icmp : duplicate 1%", VIA_DELAY_LINE_IN, Some(INGRESS)),
        ("net both : corrupt 1% fixed", VIA_DELAY_LINE_IN | SPLIT, Some(EGRESS | INGRESS)),
        ("net both icmp : corrupt 1%", VIA_DELAY_LINE | VIA_DELAY_LINE_IN | UNFIXED, Some(EGRESS | INGRESS)),
    ] {
        let plan = plan(&[rule]).unwrap();
        let line = plan.delay_line.map(|line| line.directions);
        assert_eq!((plan.rules[0].kernel.netem.via, line), (via, directions), "{rule}");
        assert_eq!(plan.inbound().is_some(), via & VIA_DELAY_LINE_IN != 0, "{rule}");
    }
}

/// Sets in which everything is.
struct Everything;

impl Sets for Everything {
    fn have(&mut self, _: Element) -> bool {
        true
    }
}

#[test]
fn connections_are_no_packets() {
    let plan = plan(&["net to 10.0.0.0/8 dport 443 : connect=ECONNREFUSED", "net connect=5"]).unwrap();
    assert!(plan.needs_connect() && plan.needs_packets());
    assert!(!plan.needs_egress() && !plan.needs_ingress() && !plan.needs_calls());
    let [first, second] = [&plan.rules[0].kernel, &plan.rules[1].kernel];
    assert_eq!((first.fault, first.value, second.value), (FaultCode::RETURN, -111, -5));
    assert_eq!(second.packets.protocols, TCP | UDP);
    let mut peer =
        Packet { protocol: 6, family: 4, direction: CONNECT, destination_port: 443, ..Packet::default() };
    peer.destination = mapped([10, 1, 2, 3]);
    let met = |peer: &Packet| [first, second].map(|rule| rule.packets.holds(0, peer, &mut Everything));
    assert_eq!(met(&peer), [true, true]);
    peer.direction = EGRESS;
    assert_eq!(met(&peer), [false, false]);
}

#[test]
fn packets_that_are_refused() {
    let rules = ["net reject", "net reject rst", "net udp : reject icmp", "net dport 80 : reject icmp admin"];
    let plan = plan(&rules).unwrap();
    assert!(plan.needs_egress() && !plan.needs_ingress() && !plan.needs_connect());
    let of = |rule: &PlannedRule| (rule.kernel.fault, rule.kernel.value, rule.kernel.packets.protocols);
    let asked = [BY_PROTOCOL, RESET, NO_PORT, FORBIDDEN].map(i64::from);
    let protocols = [ANY_PROTOCOL, TCP, UDP, TCP | UDP];
    for ((rule, asked), protocols) in plan.rules.iter().zip(asked).zip(protocols) {
        assert_eq!(of(rule), (FaultCode::REJECT, asked, protocols));
    }
    assert_ne!(plan.features & USES_ANSWERS, 0);
}

#[test]
fn addresses_and_ports_go_to_the_sets_of_their_rule() {
    use injector_common::{
        address_set::{BARRED, DESTINATION, EITHER, Element, TO_V4, TO_V6, set},
        packet::{DESTINATION_PORT, EITHER_PORT, Range, TO, TcpFlags, mapped},
    };
    let rules = ["net loss 1%", "net to 10.0.0.0/9,fd00::/8,10.128.0.0/9,10.0.0.7 dport 80,82-83 : loss 1%"];
    let plan = plan(&rules).unwrap();
    assert_eq!((plan.rules[0].kernel.packets.asked, address_sets(&plan.rules[0])), (0, vec![]));
    assert_eq!(plan.rules[1].kernel.packets.asked, TO | DESTINATION_PORT);
    let fd = std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0).octets();
    let mut found = address_sets(&plan.rules[1]);
    found.sort_unstable();
    let mut expected = vec![
        Element::network(set(1, TO_V4), mapped([10, 0, 0, 0]), 96 + 8),
        Element::network(set(1, TO_V6), fd, 8),
        Element::ports(set(1, DESTINATION), 80, 16),
        Element::ports(set(1, DESTINATION), 82, 15),
    ];
    expected.sort_unstable();
    assert_eq!(found, expected);
    let plan =
        tests::plan(&["net to 10.0.0.0/8 not to 10.0.0.7 not port 22 length 100- flags syn : loss 1%"])
            .unwrap();
    let packets = plan.rules[0].kernel.packets;
    assert_eq!((packets.asked, packets.barred), (TO, TO | EITHER_PORT));
    assert_eq!((packets.length, packets.not_length), (Range { first: 100, last: 65_575 }, Range::NONE));
    assert_eq!((packets.flags, packets.not_flags), (TcpFlags::any_of(2), TcpFlags::NONE));
    let sets: Vec<_> = address_sets(&plan.rules[0]).iter().map(|element| element.set).collect();
    assert_eq!(sets, [set(0, TO_V4), set(0, TO_V4 | BARRED), set(0, EITHER | BARRED)]);
}

#[test]
fn more_elements_than_the_kernel_side_holds_are_refused() {
    let odd: Vec<_> = (1..=65535_u32).step_by(2).map(|port| port.to_string()).collect();
    let one = |word: &str, port: u32| format!("net {word} {port},{} : loss 1%", odd.join(","));
    let rules: Vec<_> = (0..4).map(|_| one("dport", 1)).collect();
    let rules: Vec<_> = rules.iter().map(String::as_str).collect();
    assert!(plan(&rules).is_ok());
    let more = [&rules[..], &["net to 10.0.0.1 : loss 1%"]].concat();
    assert!(matches!(plan(&more), Err(PlanError::TooManyElements { given: 131_073 })));
}

#[test]
fn questions_go_to_port_53_unless_the_rule_says_where() {
    use injector_common::{
        address_set::{DESTINATION, EITHER, Element, set},
        code::FaultCode,
        config::{USES_ANSWERS, USES_DNS},
        dns::{REFUSED, TIMEOUT},
        packet::{DESTINATION_PORT, EITHER_PORT, UDP},
    };
    let rules = ["net dns refused for a.b,*.c", "net port 5353 not dport 53 : dns timeout", "net loss 1%"];
    let plan = plan(&rules).unwrap();
    assert_eq!(plan.features & (USES_ANSWERS | USES_DNS), USES_ANSWERS | USES_DNS);
    let [first, second, third] = &plan.rules[..] else { panic!("three rules") };
    assert_eq!((first.kernel.fault, first.kernel.value), (FaultCode::DNS, i64::from(REFUSED)));
    assert_eq!((first.kernel.packets.protocols, first.kernel.packets.asked), (UDP, DESTINATION_PORT));
    assert_eq!(address_sets(first), [Element::ports(set(0, DESTINATION), 53, 16)]);
    assert_eq!((second.kernel.value, second.kernel.packets.asked), (i64::from(TIMEOUT), EITHER_PORT));
    assert_eq!(address_sets(second).last(), Some(&Element::ports(set(1, EITHER), 5353, 16)));
    // Where names begin, and where each of them ends.
    assert_eq!((names(first).len(), names(second).len(), names(third).len()), (3, 2, 0));
}

#[test]
fn more_names_than_the_kernel_side_holds_are_refused() {
    let many: Vec<_> = (0..65_535).map(|n| format!("n{n}")).collect();
    let rule = format!("net dns nxdomain for {}", many.join(","));
    assert!(plan(&[&rule]).is_ok());
    assert!(matches!(
        plan(&[&rule, "net dns timeout for a"]),
        Err(PlanError::TooManyNames { given: 65_538 })
    ));
}

#[test]
fn what_packets_cannot_meet_yet_is_refused_with_the_reason() {
    for (rule, word) in [
        ("net delay 1ms reorder 1% gap 1024", "`gap`"),
        ("net delay 61s", "61s"),
        ("net delay 50s 20s", "70s"),
        ("net delay 1s 20s distribution normal", "81s"),
        ("net delay 1ms 1us distribution ./none", "./none"),
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
}

/// The slots at the entry of the call table that has rule `number` on an operation.
fn at_hook(plan: &Plan, number: u32) -> Vec<Slot> {
    let of = |rules: &CallRules| {
        let run = Run::of(rules.run);
        plan.slots[(run.base - plan.base) as usize..][..run.count.into()].to_vec()
    };
    let hooks = plan.calls.iter().filter(|&(&entry, _)| entry >= hook_entry(1)).map(|(_, rules)| of(rules));
    let has = |slots: &Vec<Slot>| slots.iter().any(|slot| slot.rule == number);
    hooks.into_iter().find(has).unwrap_or_default()
}

#[test]
fn a_hook_has_its_rules_in_order_and_each_operation_a_cell() {
    let plan = plan(&[
        "io read,write:error=EIO:path=*.db:path=*.wal",
        "fsync@64:error=EIO",
        "io read:error=ENOSPC",
        "io connect:error=EIO:port=80:peer=10.0.0.0/8",
    ])
    .unwrap();
    assert_eq!(plan.slots.iter().map(|slot| slot.cell).collect::<BTreeSet<_>>(), (0..5).collect());
    assert_eq!((plan.objects.globs().count(), plan.objects.ports().count()), (1, 1));
    // read and write share a hook, and differ by what its mask has.
    let shared = at_hook(&plan, 0);
    let of = |field: fn(&Slot) -> u32| shared.iter().map(field).collect::<Vec<_>>();
    assert_eq!((of(|slot| slot.rule), of(|slot| slot.order)), (vec![0, 0, 2], vec![0, 0, 2]));
    assert_eq!((of(|slot| slot.mask), of(|slot| slot.object.glob)), (vec![4, 2, 4], vec![1, 1, 0]));
    let socket = at_hook(&plan, 3)[0].object;
    assert_eq!((socket.sockets.needs_peer, socket.sockets.family, socket.ports), (1, 4, 2));
    assert_eq!(plan.rules[2].kernel.value, -28);
}

#[test]
fn an_operation_that_passes_one_of_two_hooks_counts_once() {
    let plan = plan(&["io truncate:error=EIO"]).unwrap();
    assert_eq!(plan.slots.iter().map(|slot| slot.cell).collect::<Vec<_>>(), [0, 0]);
    let hooks = plan.sites.iter().filter(|site| site.backend == BackendKind::Hook);
    assert_eq!(hooks.count(), 2);
}

#[test]
fn files_of_calls_are_known_by_descriptor_or_at_the_hook() {
    let slot = |rule: &str| {
        let plan = plan(&[rule]).unwrap();
        let backend = plan.sites.iter().next().unwrap().backend;
        let slot = plan.slots[0];
        (backend, [slot.descriptor, slot.other], slot.object.glob)
    };
    assert_eq!(slot("fsync@64:error=EIO:path=*.wal"), (BackendKind::FmodRet, [0, 0], 1));
    assert_eq!(slot("copy_file_range@64:error=EIO:path=/a"), (BackendKind::FmodRet, [0, 2], 1));
    assert_eq!(slot("openat@64:error=EIO:path=/a"), (BackendKind::Hook, [0, 0], 1));
    assert_eq!(slot("connect@64:error=EIO:port=80"), (BackendKind::Hook, [0, 0], 0));
    assert_eq!(slot("shutdown@64:error=EIO:port=80"), (BackendKind::FmodRet, [0, 0], 0));
    // What a path leads to is not known where the call has returned.
    for rule in [
        "openat@64:error=EIO:path=/a:at=exit",
        "openat:on=success:error=EIO:path=/a",
        "unlink:retval=0:path=/a",
    ] {
        let error = plan(&[rule]).unwrap_err();
        assert!(matches!(error, PlanError::AtHookOnly { .. }) && error.fault().is_none(), "{error}");
        assert!(error.hint().contains("leave out `path=`"));
    }
    // Calls of a class that are about no file are left out.
    let class = plan(&["%desc:error=EIO:path=/a"]).unwrap();
    assert!(
        class.notes.iter().any(|note| note.contains("about no such file") && note.contains("epoll_wait"))
    );
}

#[test]
fn an_operation_that_cannot_be_had_is_refused() {
    let error = plan(&["io stat:error=EIO"]).unwrap_err();
    assert!(error.fault().is_some() && error.to_string().contains("stat"), "{error}");
    assert_eq!(error.hint(), "another kernel");
    for errno in ["ECHILD", "ESTALE", "ERESTARTSYS", "4095"] {
        let error = plan(&[&format!("io read:error={errno}")]).unwrap_err();
        assert!(error.to_string().contains("from 1 to 511"), "{error}");
    }
}

/// As on a kernel that can do no more than its security hooks can.
#[test]
fn what_can_be_had_instead_is_a_rule() {
    let hooks = Known { kind: BackendKind::Hook, cannot: &[] };
    let hint = |text| plan_by(&[text], true, &[&hooks]).unwrap_err().hint();
    let all = hint("fsync:error=EIO:when=2+:path=/data/**");
    assert!(all.contains("--io 'write:error=EIO:when=2+:path=/data/**'; or another kernel"), "{all}");
    // `fd=` is none of its words.
    let error = hint("fdatasync:error=ENOSPC:fd=3");
    assert!(error.contains("--io 'write:error=ENOSPC'; or"), "{error}");
    assert_eq!(hint("ppoll:error=EINTR"), "another kernel");
    assert_eq!(hint("fsync:delay_enter=1ms"), "");
}
