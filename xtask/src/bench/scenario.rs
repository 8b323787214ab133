//! What is measured: groups of rows. In a group the same calls are counted with nothing attached, with
//! programs that do nothing in the very places where the injector has its own, and with the injector.

use crate::kernel::Name;

/// Rows that are compared with each other.
pub(super) struct Group {
    pub(super) title: &'static str,
    /// Of the measuring program.
    pub(super) calls: &'static [&'static str],
    /// Where the injector attaches for these rows: KIND:PLACE, as the measuring program takes it.
    pub(super) empty: &'static [&'static str],
    /// The first has nothing attached, the second the programs that do nothing.
    pub(super) rows: Vec<Row>,
}

/// One situation.
pub(super) struct Row {
    pub(super) label: String,
    pub(super) attached: Attached,
    pub(super) measured: Measured,
}

/// What is attached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Attached {
    Nothing,
    Empty,
    Injector {
        /// The option that takes the rule, and the rule.
        rule: [&'static str; 2],
        /// How often it is given.
        times: usize,
        targets: Targets,
    },
}

/// Whom the injector is attached to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Targets {
    /// One cgroup.
    Cgroup,
    /// One cgroup whose process has a network namespace of its own.
    Container,
    /// A thousand cgroups, each named.
    Cgroups,
    /// A thousand cgroups: a hundred are named, with nine more below each, one in another.
    Nested,
    /// A process.
    Process,
    /// A cgroup and a process.
    Both,
}

/// Who makes the calls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Measured {
    /// A process in a cgroup that is no target.
    Outside,
    /// The same, ten cgroups deep.
    DeepOutside,
    /// The same, with a number that only the exact look-up tells from the first target's.
    Mistaken,
    /// A member of the first target.
    Inside,
}

const NEVER: &str = "it never fires (when=65535)";

/// A kernel, and how it is booted.
#[derive(Clone, Copy)]
pub(super) struct Machine {
    pub(super) kernel: Name,
    /// With `preempt=full`, where other backends come first.
    pub(super) preemptible: bool,
}

/// What is measured on a machine: the groups whose title contains `only`.
pub(super) fn groups(machine: Machine, only: &str) -> Vec<Group> {
    let mut groups = match machine.kernel {
        Name::FaultInjection => by_functions(machine.preemptible),
        _ => vec![by_hooks(machine.preemptible), traffic()],
    };
    groups.retain(|group| group.title.contains(only));
    groups
}

fn by_functions(preemptible: bool) -> Vec<Group> {
    let mut groups = vec![calls(
        "System calls by kprobe",
        &["getuid", "read"],
        &["kprobe_multi:__do_sys_getuid", "kprobe_multi:__x64_sys_read"],
        ["-e", "inject=getuid,read:retval=0:when=65535"],
    )];
    if !preemptible {
        let fmod_ret = calls(
            "System calls by fmod_ret",
            &["getuid", "read"],
            &["fmod_ret:__do_sys_getuid", "fmod_ret:__x64_sys_read"],
            ["-e", "inject=getuid,read:error=EIO:when=65535"],
        );
        groups.insert(0, fmod_ret);
    }
    let tree: &[_] = &["tp_btf:task_newtask", "tp_btf:sched_process_exit"];
    groups.extend([
        forks(
            "Programs at the start and end of a process, while a cgroup is a target",
            &tree[..1],
            Targets::Cgroup,
        ),
        forks(
            "Programs at the start and end of a process, while a process tree is a target",
            tree,
            Targets::Process,
        ),
        packets("Packets on their way out", &["tcx:lo"], "egress : loss 1%"),
        packets("Packets on their way in", &[AT_THE_CGROUP], "ingress : loss 1%"),
    ]);
    groups
}

fn by_hooks(preemptible: bool) -> Group {
    let rule = ["-e", "inject=read:error=EIO:when=65535"];
    let mut group = if preemptible {
        calls("System calls by hooks of the BPF security module", &["read"], &["lsm:file_permission"], rule)
    } else {
        calls("System calls by security hooks", &["read"], &["fmod_ret:security_file_permission"], rule)
    };
    let rule = ["-e", "inject=write:error=EIO:when=65535"];
    group.rows.push(Row {
        label: "inside: 1 rule, 1 cgroup; it names another call of this hook (write)".into(),
        attached: Attached::Injector { rule, times: 1, targets: Targets::Cgroup },
        measured: Measured::Inside,
    });
    group
}

/// Incoming packets meet a program at the target's own cgroup: the one of [`Targets::Cgroup`].
const AT_THE_CGROUP: &str = "cgroup_skb:/sys/fs/cgroup/bench/one";

fn base() -> Vec<Row> {
    vec![
        Row { label: "nothing attached".into(), attached: Attached::Nothing, measured: Measured::Outside },
        Row { label: "empty program".into(), attached: Attached::Empty, measured: Measured::Outside },
    ]
}

fn calls(
    title: &'static str,
    calls: &'static [&'static str],
    empty: &'static [&'static str],
    rule: [&'static str; 2],
) -> Group {
    use Measured::{DeepOutside, Inside, Mistaken, Outside};
    use Targets::{Both, Cgroup, Cgroups, Container, Nested, Process};
    let mut rows = base();
    let situations = [
        (Outside, 1, Cgroup),
        (Outside, 64, Cgroup),
        (Outside, 1, Cgroups),
        (Outside, 64, Cgroups),
        (DeepOutside, 64, Nested),
        (Outside, 1, Process),
        (Outside, 64, Process),
        (Outside, 1, Both),
        (Mistaken, 1, Process),
        (Inside, 1, Cgroup),
        (Inside, 64, Cgroup),
        (Inside, 64, Nested),
        (Inside, 1, Process),
        (Inside, 64, Process),
    ];
    for (measured, times, targets) in situations {
        let rules = if times == 1 { "1 rule".to_owned() } else { format!("{times} rules") };
        let what = match targets {
            Cgroup | Container => "1 cgroup",
            Cgroups => "1000 cgroups",
            Nested => "1000 cgroups ten deep",
            Process => "a process tree",
            Both => "1 cgroup and a process tree",
        };
        let label = match measured {
            Outside => format!("outside: {rules}, {what}"),
            DeepOutside => format!("outside, itself ten deep: {rules}, {what}"),
            Mistaken => format!("outside, but on a target's entry of the filter: {rules}, {what}"),
            Inside => format!("inside: {rules}, {what}; {NEVER}"),
        };
        rows.push(Row { label, attached: Attached::Injector { rule, times, targets }, measured });
    }
    Group { title, calls, empty, rows }
}

fn forks(title: &'static str, empty: &'static [&'static str], targets: Targets) -> Group {
    let rule = ["-e", "inject=getuid:error=EIO:when=65535"];
    let attached = Attached::Injector { rule, times: 1, targets };
    let mut rows = base();
    rows.push(Row { label: "outside".into(), attached, measured: Measured::Outside });
    rows.push(Row { label: "inside".into(), attached, measured: Measured::Inside });
    Group { title, calls: &["process"], empty, rows }
}

fn packets(title: &'static str, empty: &'static [&'static str], rule: &'static str) -> Group {
    let mut rows = base();
    for (label, times, targets) in [
        ("outside: 1 rule, 1 cgroup", 1, Targets::Cgroup),
        ("outside: 64 rules, 1000 cgroups", 64, Targets::Cgroups),
    ] {
        let attached = Attached::Injector { rule: ["--net", rule], times, targets };
        rows.push(Row { label: label.into(), attached, measured: Measured::Outside });
    }
    Group { title, calls: &["datagram"], empty, rows }
}

/// 100 000 pings, and 10 000 pieces of a transfer over TCP, of a process outside.
fn traffic() -> Group {
    let mut rows = base();
    for (label, rule, targets) in [
        (
            "target in a network namespace of its own: `loss 1%`, with a delay line",
            "loss 1%",
            Targets::Container,
        ),
        ("target in a network namespace of its own: `partition`", "partition", Targets::Container),
        ("target in the same one: `ingress : loss 1%`", "ingress : loss 1%", Targets::Cgroup),
        ("target in the same one: `connect=ECONNREFUSED`", "connect=ECONNREFUSED", Targets::Cgroup),
        ("target in the same one: `partition`", "partition", Targets::Cgroup),
        ("target in the same one: `loss 1%`, with a delay line", "loss 1%", Targets::Cgroup),
    ] {
        let attached = Attached::Injector { rule: ["--net", rule], times: 1, targets };
        rows.push(Row { label: label.into(), attached, measured: Measured::Outside });
    }
    let title = "Traffic outside, 100 000 pings and 10 000 pieces of 32 KiB over TCP";
    Group { title, calls: &["ping", "transfer"], empty: &["tcx:lo"], rows }
}
