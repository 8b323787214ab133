//! A plan in the kernel: maps filled, programs attached. It lives as long as this value, and ends with
//! the process however that ends, since nothing is pinned.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use aya::maps::{Map, MapData, MapError, RingBuf};
use aya_obj::generated::bpf_attach_type::BPF_CGROUP_INET_INGRESS;
use bytemuck::Zeroable;
use injector_common::{
    call::{ABI_COMPAT, CALLS_PER_ABI},
    config::{Config, Offsets},
    counters::Counters,
    plan::PlanHeader,
    rule::Slot,
    thread,
};
use nix::libc;

use super::{
    btf::{BtfError, KernelBtf},
    descriptors,
    memory::SharedMemory,
    object::{Kind, ObjectError, Ready, Sizes},
    offsets, sys,
    syscall::{AttachError, Attached, Backend, Site},
};
use crate::plan::Plan;

/// Bytes of the ring buffer: some 19,000 events.
const EVENTS: u32 = 4 << 20;

/// Why a plan could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The object or one of its programs.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A program could not be attached.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The kernel's types lack something.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// A system call failed.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// A tracepoint is not there.
    #[error("the kernel has no tracepoint {0}")]
    NoTracepoint(&'static str),
    /// aya could not use a map.
    #[error("cannot use the map of events: {0}")]
    Events(#[from] MapError),
}

impl InstallError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Object(error) | Self::Attach(AttachError::Load(error)) => error.hint().into(),
            _ => "`injector doctor` says what this kernel allows".into(),
        }
    }

    /// The error of the system call behind it, if there is one.
    pub fn system(&self) -> Option<&io::Error> {
        match self {
            Self::Object(error) | Self::Attach(AttachError::Load(error)) => error.source_error(),
            Self::Attach(AttachError::Attach { source, .. }) | Self::System { source, .. } => Some(source),
            _ => None,
        }
    }
}

fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> InstallError {
    move |source| InstallError::System { what: what.into(), source }
}

/// What kinds of targets a plan has; programs that none of them needs are not attached.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subjects {
    /// Cgroups.
    pub cgroups: bool,
    /// Process trees.
    pub processes: bool,
    /// A command whose execve arms the plan.
    pub command: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Installation {
    ready: Ready,
    shared: SharedMemory,
    /// Bytes of a thread's state.
    state_size: usize,
    calls: Vec<(String, Attached)>,
    lineage: Vec<(OwnedFd, OwnedFd)>,
    ingress: Option<OwnedFd>,
    ingress_links: Vec<OwnedFd>,
}

/// A slot whose tests name registers by their offsets, as the kernel side reads them.
fn located(slot: &Slot, registers: [u32; 6]) -> Slot {
    let mut slot = *slot;
    let offset = |nth: u16| registers.get(usize::from(nth)).and_then(|&offset| u16::try_from(offset).ok());
    for test in &mut slot.arguments {
        (test.first, test.second) =
            (offset(test.first).unwrap_or_default(), offset(test.second).unwrap_or_default());
    }
    slot
}

impl Installation {
    /// Makes the maps and fills them, and attaches what follows processes and cgroups. Nothing matches
    /// yet: no target is known and the plan is not armed.
    pub fn prepare(plan: &Plan, subjects: Subjects, btf: &KernelBtf) -> Result<Self, InstallError> {
        descriptors::raise();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let config = Config {
            plan: u64::from(plan.id),
            cgroups: u32::from(subjects.cgroups),
            processes: u32::from(subjects.processes),
            monitor: u32::from(plan.options.monitor),
            slots: count(plan.slots.len()),
            rules: count(plan.rules.len()),
            features: plan.features(),
            offsets: offsets::read(btf)?,
        };
        let ready = Ready::prepare(&config, Sizes { slots: config.slots, events: EVENTS })?;
        let shared =
            SharedMemory::map(ready.maps().get(".bss.shared")?).map_err(system("map the shared memory"))?;
        let mut this = Self {
            ready,
            shared,
            state_size: thread::state_size(config.slots) as usize,
            calls: Vec::new(),
            lineage: Vec::new(),
            ingress: None,
            ingress_links: Vec::new(),
        };
        this.fill(plan, &config.offsets)?;
        let mut tracepoints = Vec::new();
        if subjects.cgroups {
            tracepoints.extend(["cgroup_mkdir", "cgroup_rmdir"]);
        }
        if plan.needs_calls() {
            tracepoints.push("task_newtask");
        }
        if subjects.processes {
            tracepoints.push("sched_process_exit");
        }
        if subjects.command {
            tracepoints.push("sched_process_exec");
        }
        for name in tracepoints {
            let id = btf.tracepoint(name).ok_or(InstallError::NoTracepoint(name))?;
            let program = this.ready.load(name, name, Kind::Tracepoint(id))?;
            let link = sys::link_tracepoint(program.as_fd())
                .map_err(system(format!("attach to tracepoint {name}")))?;
            this.lineage.push((program, link));
        }
        Ok(this)
    }

    fn fill(&self, plan: &Plan, offsets: &Offsets) -> Result<(), InstallError> {
        let maps = self.ready.maps();
        let write = |map: &str, key: u32, value: &[u8]| -> Result<(), InstallError> {
            sys::update(maps.get(map)?, &key.to_ne_bytes(), value)
                .map_err(system(format!("fill the map {map}")))
        };
        for (rule, number) in plan.rules.iter().zip(0..) {
            write("RULES", number, bytemuck::bytes_of(&rule.kernel))?;
        }
        for (&entry, rules) in &plan.calls {
            let registers =
                if entry / CALLS_PER_ABI == ABI_COMPAT { offsets.regs_compat } else { offsets.regs_native };
            let (first, count) = (rules.base as usize, rules.count as usize);
            for (slot, number) in plan.slots.iter().skip(first).take(count).zip(rules.base..) {
                write("SLOTS", number, bytemuck::bytes_of(&located(slot, registers)))?;
            }
            write("CALLS", entry, bytemuck::bytes_of(rules))?;
        }
        Ok(())
    }

    /// Attaches the programs that decide about calls.
    pub fn attach_calls(
        &mut self,
        plan: &Plan,
        backends: &[Box<dyn Backend + '_>],
    ) -> Result<(), InstallError> {
        for backend in backends {
            let sites: Vec<_> = plan.sites.iter().filter(|site| site.backend == backend.kind()).collect();
            if sites.is_empty() {
                continue;
            }
            let attached = backend.attach(&self.ready, &sites)?;
            let together = attached.len() < sites.len();
            let name = |site: &Site| {
                let function = if together { "many functions" } else { &site.function };
                format!("{} {function}", site.backend)
            };
            let names: Vec<_> = sites.iter().map(|site| name(site)).collect();
            self.calls.extend(names.into_iter().zip(attached));
        }
        Ok(())
    }

    /// Has the incoming packets of a cgroup, and of all below it, pass the packet rules.
    pub fn attach_ingress(&mut self, cgroup: BorrowedFd<'_>) -> Result<(), InstallError> {
        let program = match &self.ingress {
            Some(program) => program,
            None => self.ingress.insert(self.ready.load("ingress", "ingress", Kind::CgroupIngress)?),
        };
        let link = sys::link_to(program.as_fd(), cgroup, BPF_CGROUP_INET_INGRESS as u32)
            .map_err(system("attach to the cgroup's incoming packets"))?;
        self.ingress_links.push(link);
        Ok(())
    }

    /// The program for the egress of devices. Where it stays behind after a SIGKILL, it is a gate that
    /// then passes everything; see the kernel side, `egress_gate`.
    pub fn egress_program(&self, stays_behind: bool) -> Result<OwnedFd, InstallError> {
        let program = self.ready.load("egress", "egress", Kind::Classifier)?;
        if !stays_behind {
            return Ok(program);
        }
        let gate = self.ready.load("egress_gate", "egress_gate", Kind::Classifier)?;
        self.ready.put_behind("GATE", &program)?;
        Ok(gate)
    }

    /// Adds a cgroup to those whose tasks and packets are ours. Its parent's target index goes with it.
    /// Says whether it is new.
    pub fn add_cgroup(&self, id: u64, target: u32) -> Result<bool, InstallError> {
        use std::sync::atomic::Ordering::Relaxed;
        let map = self.ready.maps().get("CGROUPS")?;
        match sys::insert(map, &id.to_ne_bytes(), &target.to_ne_bytes()) {
            Ok(true) => {
                let entry = injector_common::shared::cgroup_entry(id);
                self.shared.cgroups[entry].fetch_add(1, Relaxed);
                Ok(true)
            }
            Ok(false) => Ok(false),
            Err(source) => Err(system("add a target cgroup")(source)),
        }
    }

    /// Marks a process by its pidfd with `flags` of [`thread`], unless it is marked already or has ended;
    /// says whether it did.
    pub fn mark(
        &self,
        pidfd: BorrowedFd<'_>,
        place: u64,
        flags: u32,
        target: u32,
    ) -> Result<bool, InstallError> {
        let mut value = vec![0; self.state_size];
        let head = thread::Thread { place, children: 0, flags, target };
        let head = bytemuck::bytes_of(&head);
        value.get_mut(..head.len()).unwrap_or_default().copy_from_slice(head);
        match sys::insert(self.ready.maps().get("THREADS")?, &pidfd.as_raw_fd().to_ne_bytes(), &value) {
            Ok(new) => Ok(new),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT)) => Ok(false),
            Err(source) => Err(system("mark a process")(source)),
        }
    }

    /// What both sides have open.
    pub fn shared(&self) -> &SharedMemory {
        &self.shared
    }

    /// The counters of rule `number` as they are now.
    pub fn counters(&self, number: u32) -> Result<Counters, InstallError> {
        let mut out = Counters::zeroed();
        sys::lookup(
            self.ready.maps().get("COUNTERS")?,
            &number.to_ne_bytes(),
            bytemuck::bytes_of_mut(&mut out),
        )
        .map_err(system("read the counters"))?;
        Ok(out)
    }

    /// The ring buffer of events.
    pub fn events(&self) -> Result<RingBuf<MapData>, InstallError> {
        let fd = self.ready.maps().get("EVENTS")?;
        let fd = fd.try_clone_to_owned().map_err(system("use the map of events"))?;
        Ok(RingBuf::try_from(Map::RingBuf(MapData::from_fd(fd)?))?)
    }

    /// Programs that the kernel skipped because they were running already, by function; none that never was.
    pub fn misses(&self) -> Vec<(String, u64)> {
        let all = self.calls.iter().map(|(name, attached)| (name.clone(), attached.misses()));
        all.filter(|(_, misses)| *misses > 0).collect()
    }

    /// Makes the plan known to everybody who looks, see [`super::registry`].
    pub fn publish(&self, header: PlanHeader, text: &str) -> Result<OwnedFd, InstallError> {
        let maps = self.ready.maps();
        let id = |name| -> Result<u32, InstallError> {
            sys::map_id(maps.get(name)?).map_err(system("ask for a map's number"))
        };
        let header = PlanHeader { shared_map: id(".bss.shared")?, counters_map: id("COUNTERS")?, ..header };
        super::registry::publish(header, text).map_err(system("publish the plan"))
    }

    /// Takes everything off the kernel's functions and cgroups; maps and counters stay readable.
    pub fn detach(&mut self) {
        self.calls.clear();
        self.lineage.clear();
        self.ingress_links.clear();
        self.ingress = None;
    }
}
