//! A plan's programs are attached, and taken off: those that follow processes, at calls, at cgroups, for devices.

use std::{
    collections::BTreeSet,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::Ordering::Relaxed,
};

use crate::{
    kernel::{
        bpf::{btf::KernelBtf, kind::Kind, sys},
        error::system,
        installation::{
            InstallError, Installation, Program,
            cgroups::{AtCgroups, Whose},
            sockets::{self, Sockets},
        },
        net::{DelayLinePrograms, Side},
        syscall::Attach,
    },
    plan::{Plan, backend::Site},
};

/// The tracepoints that only calls need, which are decided by position in the process tree: where a thread is born,
/// and where a signal interrupts a call.
const OF_CALLS: [&str; 2] = ["task_newtask", "signal_deliver"];

impl Installation {
    /// Attaches the programs that note who is born, and which calls start again.
    ///
    /// # Errors
    /// [`InstallError`]: the kernel has no such tracepoint, or refuses a program.
    pub fn follow_calls(&mut self, btf: &KernelBtf) -> Result<(), InstallError> {
        OF_CALLS.into_iter().try_for_each(|name| self.follow(name, btf))
    }

    pub(super) fn follow(&mut self, name: &'static str, btf: &KernelBtf) -> Result<(), InstallError> {
        if self.process_tree.iter().any(|(known, ..)| *known == name) {
            return Ok(());
        }
        let id = btf.tracepoint(name).ok_or(InstallError::NoTracepoint(name))?;
        let program = self.object.load(name, name, Kind::Tracepoint(id))?;
        let link =
            sys::link_tracepoint(program.as_fd()).map_err(system(format!("attach to tracepoint {name}")))?;
        self.process_tree.push((name, program, link));
        Ok(())
    }

    /// The programs of the delay line.
    ///
    /// # Errors
    /// [`InstallError`]: the kernel refuses a program.
    pub fn delay_line_programs(&self) -> Result<DelayLinePrograms, InstallError> {
        let load = |name| self.object.load(name, name, Kind::Classifier);
        Ok(DelayLinePrograms {
            decide: load("line_decide")?,
            stamp: load("line_stamp")?,
            back: load("line_return")?,
        })
    }

    /// Attaches programs that decide about calls, at `sites`. They act as far as the call table names them.
    ///
    /// # Errors
    /// [`InstallError`]: the kernel refuses a program, or has no function of that name.
    pub fn attach_calls(
        &self,
        sites: &BTreeSet<Site>,
        backends: &[Box<dyn Attach + '_>],
    ) -> Result<Vec<Program>, InstallError> {
        let mut programs = Vec::new();
        for backend in backends {
            let sites: Vec<_> = sites.iter().filter(|site| site.backend == backend.kind()).collect();
            if sites.is_empty() {
                continue;
            }
            let attached = backend.attach(&self.object, &sites)?;
            if attached.len() < sites.len() {
                let name = format!("{} many functions", backend.kind());
                let sites: BTreeSet<_> = sites.into_iter().cloned().collect();
                programs.extend(attached.into_iter().map(|attached| Program {
                    name: name.clone(),
                    sites: sites.clone(),
                    attached,
                }));
                continue;
            }
            programs.extend(sites.into_iter().zip(attached).map(|(site, attached)| Program {
                name: format!("{} {}", site.backend, site.function),
                sites: BTreeSet::from([site.clone()]),
                attached,
            }));
        }
        Ok(programs)
    }

    /// Keeps programs until the plan ends or no longer needs them.
    pub fn keep(&mut self, programs: Vec<Program>) {
        self.calls.extend(programs);
    }

    /// Where programs are that decide about calls. One that is at many functions may be needed at some only.
    pub fn sites(&self) -> BTreeSet<Site> {
        self.calls.iter().flat_map(|program| &program.sites).cloned().collect()
    }

    /// Takes off what `plan` does not need.
    pub fn detach_unneeded(&mut self, plan: &Plan) {
        if plan.delays_calls() {
            let live: BTreeSet<_> = plan.rules.iter().map(|rule| rule.number).collect();
            let ended = (0..plan.next_number).filter(|number| !live.contains(number));
            ended.for_each(|number| self.call_delays.end_rule(number));
        } else {
            self.call_delays.wake();
        }
        let unneeded = |program: &mut Program| program.sites.is_disjoint(&plan.sites);
        for program in self.calls.extract_if(.., unneeded).collect::<Vec<_>>() {
            let misses = program.attached.misses();
            if misses > 0 {
                *self.misses_before.entry(program.name).or_default() += misses;
            }
            self.call_delays.retire(program.attached.retire());
        }
        if !plan.delays_calls() {
            self.call_delays.release();
            self.handle.set_helpers(Vec::new());
        }
        if !plan.needs_ingress() {
            self.ingress = None;
        }
        if !plan.needs_connect() {
            self.connect = None;
        }
        if !plan.needs_packets() {
            self.sockets = None;
        }
        if !plan.needs_calls() {
            let tree = self.processes;
            self.process_tree
                .retain(|(name, ..)| !OF_CALLS.contains(name) || tree && *name == "task_newtask");
        }
    }

    /// Has the incoming packets of a cgroup, and of all below it, pass the packet rules.
    ///
    /// # Errors
    /// [`InstallError`]: the kernel refuses the program, or the link to the cgroup.
    pub fn attach_ingress(&mut self, whose: Whose, cgroup: BorrowedFd<'_>) -> Result<(), InstallError> {
        let hooks = self.ingress.get_or_insert_with(AtCgroups::ingress);
        hooks.attach(&self.object, whose, cgroup)
    }

    /// Has sockets of a cgroup, and of all below it, pass the rules on connections before they connect.
    ///
    /// # Errors
    /// [`InstallError`]: the kernel refuses the program, or the link to the cgroup.
    pub fn attach_connect(&mut self, whose: Whose, cgroup: BorrowedFd<'_>) -> Result<(), InstallError> {
        let hooks = self.connect.get_or_insert_with(AtCgroups::connect);
        hooks.attach(&self.object, whose, cgroup)
    }

    /// From here on sockets that a process tree makes are marked as its own.
    ///
    /// # Errors
    /// [`InstallError`]: the kernel refuses the program, or has no such hook.
    pub fn follow_sockets(&mut self, btf: &KernelBtf) -> Result<(), InstallError> {
        if self.processes && self.sockets.is_none() {
            self.sockets = Some(Sockets::follow(&self.object, btf)?);
        }
        Ok(())
    }

    /// Marks the sockets that the process trees, which have to be marked themselves, have open.
    ///
    /// # Errors
    /// [`InstallError`]: the iterator cannot be loaded, or cannot be read to its end.
    pub fn mark_sockets(&self, btf: &KernelBtf) -> Result<(), InstallError> {
        if self.processes { sockets::mark(&self.object, btf) } else { Ok(()) }
    }

    /// How many descriptors those in the target cgroups, which have to be known, have of sockets of other cgroups.
    ///
    /// # Errors
    /// [`InstallError`]: the iterator cannot be loaded, or cannot be read to its end.
    pub fn sockets_elsewhere(&self, btf: &KernelBtf) -> Result<u64, InstallError> {
        sockets::count_elsewhere(&self.object, btf)?;
        Ok(self.shared().elsewhere.load(Relaxed))
    }

    /// The program for a side of devices. Where it stays behind after a SIGKILL, it is a gate that
    /// then passes everything; see the kernel side, `egress_gate`.
    ///
    /// # Errors
    /// [`InstallError`]: the kernel refuses the program.
    pub fn classifier(&self, side: Side, stays_behind: bool) -> Result<OwnedFd, InstallError> {
        let (name, gate, place) = match side {
            Side::Egress if self.processes => ("tree_egress", "egress_gate", 0),
            Side::Egress => ("egress", "egress_gate", 0),
            Side::Ingress => ("inbound", "inbound_gate", 1),
        };
        let program = self.object.load(name, name, Kind::Classifier)?;
        if !stays_behind {
            return Ok(program);
        }
        let gate = self.object.load(gate, gate, Kind::Classifier)?;
        self.object.put_behind("GATE", place, &program)?;
        Ok(gate)
    }

    /// Takes everything off the kernel's functions and cgroups; maps and counters stay readable. `stays`: will this
    /// process go on?
    pub fn detach(&mut self, stays: bool) {
        self.call_delays.wake();
        for program in std::mem::take(&mut self.calls) {
            self.call_delays.retire(program.attached.retire());
        }
        if stays {
            self.call_delays.release();
        } else {
            self.call_delays.leave();
        }
        self.process_tree.clear();
        self.sockets = None;
        self.ingress = None;
        self.connect = None;
    }
}
