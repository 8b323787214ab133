//! Which capabilities a live plan keeps until its end: those for what it may still have to do. The table in
//! `docs/containers.md` says the same.
//!
//! Its lease, its counters, a deadline, a pause, its end and most of its clean-up go by descriptors and by memory, for
//! which the kernel asks for none.

use rustix::thread::CapabilitySet;

use crate::{
    engine::{Start, presence::Presence},
    plan::Plan,
    spec::model::RuleKind,
    target::{Cgroup, Target},
};

/// What a plan may have to do until its end that takes a right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a duty by itself")]
pub(super) struct Duties {
    /// `injector change` may bring any rule.
    changes: bool,
    /// Calls are delayed: when many threads sleep, more programs are loaded.
    delays: bool,
    /// Network namespaces and devices that come are covered.
    packets: bool,
    /// Processes are stopped, go on, and get signals, whose user they may be.
    processes: bool,
    /// Target cgroups come back: who lives there is looked at.
    returns: bool,
    /// One of them is known by a name, which is looked up in the state of runtimes.
    names: bool,
    /// A command gets the signals that we get, and its cgroup is removed.
    command: bool,
    /// The command is traced to its entry.
    entry: bool,
}

impl Duties {
    pub(super) fn of(plan: &Plan, targets: &[Target], presence: &Presence) -> Self {
        let named = |cgroup: &Cgroup| cgroup.called().is_some();
        Self {
            returns: presence.returning,
            names: presence.returning && targets.iter().filter_map(Target::as_cgroup).any(named),
            command: presence.start != Start::Now,
            entry: presence.start == Start::WhenTold,
            ..Self::of_rules(plan)
        }
    }

    fn of_rules(plan: &Plan) -> Self {
        Self {
            changes: !plan.options.fixed,
            delays: plan.delays_calls(),
            packets: plan.needs_packets(),
            processes: plan.rules.iter().any(|rule| matches!(rule.asked, RuleKind::UserSpace(_))),
            ..Self::default()
        }
    }

    /// What it takes.
    pub(super) fn rights(self) -> CapabilitySet {
        const PROGRAMS: CapabilitySet = CapabilitySet::BPF.union(CapabilitySet::PERFMON);
        const PACKETS: CapabilitySet =
            CapabilitySet::NET_ADMIN.union(CapabilitySet::SYS_ADMIN).union(CapabilitySet::SYS_PTRACE);
        const PROCESSES: CapabilitySet = CapabilitySet::KILL.union(CapabilitySet::DAC_OVERRIDE);
        // The helpers of delays go before others (setpriority(2)).
        const CHANGES: CapabilitySet =
            PROGRAMS.union(PACKETS).union(PROCESSES).union(CapabilitySet::SYS_NICE);
        [
            (self.changes, CHANGES),
            (self.delays, PROGRAMS),
            (self.packets, PACKETS),
            (self.processes || self.command, PROCESSES),
            (self.returns || self.entry, CapabilitySet::SYS_PTRACE),
            // Whoever may write everything may read it.
            (self.names && !self.changes, CapabilitySet::DAC_READ_SEARCH),
        ]
        .into_iter()
        .filter_map(|(needed, rights)| needed.then_some(rights))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        distribution::Files,
        plan::Options,
        spec::{self, model::Rule},
    };

    const NONE: Duties = Duties {
        changes: false,
        delays: false,
        packets: false,
        processes: false,
        returns: false,
        names: false,
        command: false,
        entry: false,
    };

    /// The capabilities by name, in the order of their numbers.
    fn names(duties: Duties) -> String {
        let names: Vec<_> = duties.rights().iter_names().map(|(name, _)| name).collect();
        names.join(" ")
    }

    #[test]
    fn each_duty_has_its_rights() {
        for (duties, rights) in [
            (NONE, ""),
            (
                Duties { changes: true, ..NONE },
                "DAC_OVERRIDE KILL NET_ADMIN SYS_PTRACE SYS_ADMIN SYS_NICE PERFMON BPF",
            ),
            (Duties { delays: true, ..NONE }, "PERFMON BPF"),
            (Duties { packets: true, ..NONE }, "NET_ADMIN SYS_PTRACE SYS_ADMIN"),
            (Duties { processes: true, ..NONE }, "DAC_OVERRIDE KILL"),
            (Duties { returns: true, ..NONE }, "SYS_PTRACE"),
            (Duties { returns: true, names: true, ..NONE }, "DAC_READ_SEARCH SYS_PTRACE"),
            (
                Duties { changes: true, returns: true, names: true, ..NONE },
                "DAC_OVERRIDE KILL NET_ADMIN SYS_PTRACE SYS_ADMIN SYS_NICE PERFMON BPF",
            ),
            (Duties { command: true, ..NONE }, "DAC_OVERRIDE KILL"),
            (Duties { command: true, entry: true, ..NONE }, "DAC_OVERRIDE KILL SYS_PTRACE"),
            (Duties { delays: true, processes: true, ..NONE }, "DAC_OVERRIDE KILL PERFMON BPF"),
        ] {
            assert_eq!(names(duties), rights, "{duties:?}");
        }
    }

    #[test]
    fn rules_have_their_duties() {
        let duties = |rule: Rule, options: Options| {
            let plan = Plan::new(&[rule], &Files::default(), options, 1, &[]).unwrap();
            Duties::of_rules(&plan)
        };
        let fixed = || Options::default().fixed();
        let packets = Duties { packets: true, ..NONE };
        assert_eq!(duties(spec::net("loss 1%").unwrap(), fixed()), packets);
        assert_eq!(duties(spec::net("connect=ECONNREFUSED").unwrap(), fixed()), packets);
        assert_eq!(
            duties(spec::net("loss 1%").unwrap(), Options::default()),
            Duties { changes: true, ..packets }
        );
        let processes = Duties { processes: true, ..NONE };
        assert_eq!(duties(spec::process("pause:for=1s:every=10s").unwrap(), fixed()), processes);
    }
}
