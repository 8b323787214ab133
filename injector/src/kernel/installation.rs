//! A plan in the kernel: maps filled, programs attached. It lives as long as this value, and ends with
//! the process however that ends, since nothing is pinned.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use aya::maps::{Map, MapData, MapError, RingBuf};
use bytemuck::Zeroable;
use injector_common::{
    call::{ABI_COMPAT, CALLS_PER_ABI, CallRules, PACKETS, Run, Slot},
    config::{Config, Offsets, USES_DELAYS, USES_OBJECTS},
    counters::{Counters, Traffic},
    member::Member,
    name::NameKey,
    plan::PlanHeader,
    queue::Queue,
    thread,
};
use nix::libc;

use super::{
    at_cgroup::{AtCgroups, Whose},
    btf::{BtfError, KernelBtf},
    descriptors,
    lease::LeaseKeeper,
    members::Members,
    memory::SharedMemory,
    nap,
    naps::{self, Naps, Shortfall},
    object::{Kind, ObjectError, Ready, Sizes},
    offsets,
    packet::{LinePrograms, Side},
    registry::Listing,
    sockets::{self, Sockets},
    sys,
    syscall::{AttachError, Attached, Backend, Site},
    tables::Tables,
};
use crate::plan::{Plan, line, members, names, objects::PLACES};

/// Bytes of the ring buffer: some 19,000 events.
const EVENTS: u32 = 4 << 20;
/// The same where no event is made: the least that the kernel takes is a page of any size.
const NO_EVENTS: u32 = 1 << 16;

/// Flows of packets that a plan knows at a time, if it has to do with packets or may get to.
const FLOWS: u32 = 16_384;

/// The tracepoints that only calls need, which are decided by place in the process tree: where a thread is born,
/// and where a signal interrupts a call.
const OF_CALLS: [&str; 2] = ["task_newtask", "signal_deliver"];

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
    /// The helpers that make calls wait could not be started.
    #[error("cannot delay calls: {0}")]
    Nap(#[from] nap::Step),
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
            Self::Nap(step) => Some(&step.source),
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
    // First, so that whoever sleeps is awake before the programs go.
    pub(super) naps: Naps,
    pub(super) ready: Ready,
    pub(super) shared: SharedMemory,
    tables: Tables,
    members: Members<Member, u8>,
    names: Members<NameKey, u64>,
    offsets: Offsets,
    /// Bytes of a thread's state.
    state_size: usize,
    pub(super) calls: Vec<Program>,
    /// Skipped runs of programs that a change of the plan has taken off.
    misses_before: BTreeMap<String, u64>,
    lineage: Vec<(&'static str, OwnedFd, OwnedFd)>,
    ingress: Option<AtCgroups>,
    connect: Option<AtCgroups>,
    /// Is a target a process tree?
    processes: bool,
    sockets: Option<Sockets>,
}

/// Programs that sit at a function, or one at many: what is attached and detached together.
#[derive(Debug)]
pub struct Program {
    name: String,
    sites: BTreeSet<Site>,
    pub(super) attached: Attached,
}

/// The slots of a plan, with tests that name registers by their offsets, as the kernel side reads them.
fn located(plan: &Plan, offsets: &Offsets) -> Vec<Slot> {
    let mut slots = plan.slots.clone();
    for (&entry, rules) in plan.calls.iter().filter(|(entry, _)| **entry < PACKETS) {
        let registers =
            if entry / CALLS_PER_ABI == ABI_COMPAT { offsets.regs_compat } else { offsets.regs_native };
        let offset =
            |nth: u16| registers.get(usize::from(nth)).and_then(|&offset| u16::try_from(offset).ok());
        for run in [rules.run, rules.behind].map(Run::of) {
            let first = run.base.saturating_sub(plan.base) as usize;
            for slot in slots.iter_mut().skip(first).take(usize::from(run.count)) {
                for register in [&mut slot.descriptor, &mut slot.other] {
                    *register = offset(*register).unwrap_or_default();
                }
                for test in &mut slot.arguments {
                    test.first = offset(test.first).unwrap_or_default();
                    test.second = offset(test.second).unwrap_or_default();
                }
            }
        }
    }
    slots
}

impl Installation {
    /// Makes the maps and fills them, and attaches what follows processes and cgroups. Nothing matches
    /// yet: no target is known and the plan is not armed.
    pub fn prepare(plan: &Plan, subjects: Subjects, btf: &KernelBtf) -> Result<Self, InstallError> {
        descriptors::raise();
        let config = Config {
            plan: u64::from(plan.id),
            cgroups: u32::from(subjects.cgroups),
            processes: u32::from(subjects.processes),
            monitor: u32::from(plan.options.monitor),
            slots: plan.room,
            features: plan.features,
            line: if plan.packets && !plan.options.monitor { line::device(plan.id) } else { 0 },
            session: plan.session,
            offsets: offsets::read(btf)?,
            objects: offsets::objects(btf)?,
        };
        let objects = if plan.features & USES_OBJECTS == 0 { 1 } else { PLACES };
        let flows = if plan.packets { FLOWS } else { 1 };
        let events = if plan.options.records { EVENTS } else { NO_EVENTS };
        let queues = plan.packets;
        let distributions = queues || plan.features & USES_DELAYS != 0;
        let sizes = Sizes { slots: config.slots, flows, events, objects, queues, distributions };
        let ready = Ready::prepare(&config, sizes, btf)?;
        let shared =
            SharedMemory::map(ready.maps().get(".bss.shared")?).map_err(system("map the shared memory"))?;
        let (calls, slots) = (ready.maps().get("CALLS")?, ready.maps().get("SLOTS")?);
        let tables = Tables::map(calls, slots, 2 * plan.room).map_err(system("map the tables of rules"))?;
        let mut this = Self {
            naps: Naps::default(),
            offsets: config.offsets,
            ready,
            shared,
            tables,
            members: Members::default(),
            names: Members::default(),
            state_size: thread::state_size(config.slots) as usize,
            calls: Vec::new(),
            misses_before: BTreeMap::new(),
            lineage: Vec::new(),
            ingress: None,
            connect: None,
            processes: subjects.processes,
            sockets: None,
        };
        this.fill(None, plan)?;
        this.switch(None, plan);
        let mut tracepoints = Vec::new();
        if subjects.cgroups {
            tracepoints.extend(["cgroup_mkdir", "cgroup_rmdir"]);
        }
        if subjects.processes {
            tracepoints.extend(["task_newtask", "sched_process_exit"]);
        }
        if subjects.command {
            tracepoints.push("sched_process_exec");
        }
        for name in tracepoints {
            this.follow(name, btf)?;
        }
        if plan.needs_calls() {
            this.follow_calls(btf)?;
        }
        Ok(this)
    }

    /// Attaches the programs that note who is born, and which calls start again.
    pub fn follow_calls(&mut self, btf: &KernelBtf) -> Result<(), InstallError> {
        OF_CALLS.into_iter().try_for_each(|name| self.follow(name, btf))
    }

    fn follow(&mut self, name: &'static str, btf: &KernelBtf) -> Result<(), InstallError> {
        if self.lineage.iter().any(|(known, ..)| *known == name) {
            return Ok(());
        }
        let id = btf.tracepoint(name).ok_or(InstallError::NoTracepoint(name))?;
        let program = self.ready.load(name, name, Kind::Tracepoint(id))?;
        let link =
            sys::link_tracepoint(program.as_fd()).map_err(system(format!("attach to tracepoint {name}")))?;
        self.lineage.push((name, program, link));
        Ok(())
    }

    /// The programs of the delay line.
    pub fn line_programs(&self) -> Result<LinePrograms, InstallError> {
        let load = |name| self.ready.load(name, name, Kind::Classifier);
        Ok(LinePrograms {
            decide: load("line_decide")?,
            stamp: load("line_stamp")?,
            back: load("line_return")?,
        })
    }

    /// Writes the plan where no call looks yet: rules under their numbers, slots from its base on. The rules of
    /// `acting` are met meanwhile.
    pub fn fill(&mut self, acting: Option<&Plan>, plan: &Plan) -> Result<(), InstallError> {
        self.members
            .fill(self.ready.maps().get("MEMBERS")?, acting, plan, |rule| {
                members(rule).into_iter().map(|member| (member, 1)).collect()
            })
            .map_err(system("write the addresses and ports of a rule"))?;
        self.names
            .fill(self.ready.maps().get("NAMES")?, acting, plan, names)
            .map_err(system("write the names of a rule"))?;
        let rules = self.ready.maps().get("RULES")?;
        for rule in &plan.rules {
            sys::update(rules, &rule.number.to_ne_bytes(), bytemuck::bytes_of(&rule.kernel))
                .map_err(system("write a rule"))?;
        }
        let tables = [
            (
                "GLOBS",
                plan.objects
                    .globs()
                    .map(|(place, glob)| (place, bytemuck::bytes_of(glob)))
                    .collect::<Vec<_>>(),
            ),
            (
                "PORTS",
                plan.objects.ports().map(|(place, ports)| (place, bytemuck::bytes_of(ports))).collect(),
            ),
            (
                "DISTRIBUTIONS",
                plan.distributions
                    .tables()
                    .map(|(place, table)| (place, bytemuck::bytes_of(table)))
                    .collect(),
            ),
        ];
        for (name, entries) in tables {
            for (place, value) in entries {
                sys::update(self.ready.maps().get(name)?, &place.to_ne_bytes(), value)
                    .map_err(system(format!("fill the map {name}")))?;
            }
        }
        self.tables.write(plan.base, &located(plan, &self.offsets));
        Ok(())
    }

    /// Waits until no call looks at what was switched before, so that it can be written again.
    pub fn settle() -> Result<(), InstallError> {
        sys::wait_for_programs().map_err(system("wait for running programs"))
    }

    /// From here on every call and packet meets the rules of `plan`, those that only `before` names none. Each
    /// sees either plan, and wholly.
    pub fn switch(&self, before: Option<&Plan>, plan: &Plan) {
        for (&entry, &rules) in &plan.calls {
            self.tables.point(entry, rules);
        }
        let gone = before.into_iter().flat_map(|before| before.calls.keys());
        for &entry in gone.filter(|entry| !plan.calls.contains_key(entry)) {
            self.tables.point(entry, CallRules::default());
        }
    }

    /// Attaches programs that decide about calls, at `sites`. They act as far as the call table names them.
    pub fn attach_calls(
        &self,
        sites: &BTreeSet<Site>,
        backends: &[Box<dyn Backend + '_>],
    ) -> Result<Vec<Program>, InstallError> {
        let mut programs = Vec::new();
        for backend in backends {
            let sites: Vec<_> = sites.iter().filter(|site| site.backend == backend.kind()).collect();
            if sites.is_empty() {
                continue;
            }
            let attached = backend.attach(&self.ready, &sites)?;
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
        if plan.needs_naps() {
            let live: BTreeSet<_> = plan.rules.iter().map(|rule| rule.number).collect();
            let ended = (0..plan.next_number).filter(|number| !live.contains(number));
            ended.for_each(|number| self.naps.end_rule(number));
        } else {
            self.naps.wake();
        }
        let unneeded = |program: &mut Program| program.sites.is_disjoint(&plan.sites);
        for program in self.calls.extract_if(.., unneeded).collect::<Vec<_>>() {
            let misses = program.attached.misses();
            if misses > 0 {
                *self.misses_before.entry(program.name).or_default() += misses;
            }
            self.let_go(program.attached.retire());
        }
        if !plan.needs_naps() {
            self.naps.release();
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
            self.lineage.retain(|(name, ..)| !OF_CALLS.contains(name) || tree && *name == "task_newtask");
        }
    }

    /// Has the incoming packets of a cgroup, and of all below it, pass the packet rules.
    pub fn attach_ingress(&mut self, whose: Whose, cgroup: BorrowedFd<'_>) -> Result<(), InstallError> {
        let hooks = self.ingress.get_or_insert_with(AtCgroups::ingress);
        hooks.attach(&self.ready, whose, cgroup)
    }

    /// Has sockets of a cgroup, and of all below it, pass the rules on connections before they connect.
    pub fn attach_connect(&mut self, whose: Whose, cgroup: BorrowedFd<'_>) -> Result<(), InstallError> {
        let hooks = self.connect.get_or_insert_with(AtCgroups::connect);
        hooks.attach(&self.ready, whose, cgroup)
    }

    /// From here on sockets that a process tree makes are marked as its own.
    pub fn follow_sockets(&mut self, btf: &KernelBtf) -> Result<(), InstallError> {
        if self.processes && self.sockets.is_none() {
            self.sockets = Some(Sockets::follow(&self.ready, btf)?);
        }
        Ok(())
    }

    /// Marks the sockets that the process trees, which have to be marked themselves, have open.
    pub fn mark_sockets(&self, btf: &KernelBtf) -> Result<(), InstallError> {
        if self.processes { sockets::mark(&self.ready, btf) } else { Ok(()) }
    }

    /// The program for a side of devices. Where it stays behind after a SIGKILL, it is a gate that
    /// then passes everything; see the kernel side, `egress_gate`.
    pub fn classifier(&self, side: Side, stays_behind: bool) -> Result<OwnedFd, InstallError> {
        let (name, gate, place) = match side {
            Side::Egress if self.processes => ("tree_egress", "egress_gate", 0),
            Side::Egress => ("egress", "egress_gate", 0),
            Side::Ingress => ("inbound", "inbound_gate", 1),
        };
        let program = self.ready.load(name, name, Kind::Classifier)?;
        if !stays_behind {
            return Ok(program);
        }
        let gate = self.ready.load(gate, gate, Kind::Classifier)?;
        self.ready.put_behind("GATE", place, &program)?;
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
        let head = thread::Thread::at(place, flags, target);
        let head = bytemuck::bytes_of(&head);
        value.get_mut(..head.len()).unwrap_or_default().copy_from_slice(head);
        match sys::insert(self.ready.maps().get("THREADS")?, &pidfd.as_raw_fd().to_ne_bytes(), &value) {
            Ok(new) => Ok(new),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT)) => Ok(false),
            Err(source) => Err(system("mark a process")(source)),
        }
    }

    /// Starts what makes calls wait, if it is not there. Nobody waits longer than `longest` at a time.
    pub fn begin_naps(&mut self, longest: Duration) -> Result<(), InstallError> {
        let mut naps = std::mem::take(&mut self.naps);
        let mark = |process: BorrowedFd<'_>, flags| self.mark(process, 0, flags, 0);
        let begun = naps.begin(self.ready.maps().get("PLACES")?, &self.shared, longest, mark);
        self.naps = naps;
        begun
    }

    /// How often delays fell short.
    pub fn shortfall(&self) -> Shortfall {
        naps::shortfall(&self.shared)
    }

    /// Has the lease renewed by a thread while this one is busy with the plan itself.
    pub fn keep_lease(&self) -> Result<LeaseKeeper, InstallError> {
        let map = self.ready.maps().get(".bss.shared")?;
        let shared = SharedMemory::map(map).map_err(system("map the shared memory"))?;
        LeaseKeeper::start(shared).map_err(system("start a thread"))
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

    /// What rule `number` has counted of packets.
    pub fn traffic(&self, number: u32) -> Result<Traffic, InstallError> {
        let mut out = Traffic::default();
        let map = self.ready.maps().get("TRAFFIC")?;
        sys::lookup(map, &number.to_ne_bytes(), bytemuck::bytes_of_mut(&mut out))
            .map_err(system("read the counters"))?;
        Ok(out)
    }

    /// What of rule number `number` waits, in a plan that may have rules on packets.
    pub fn queue(&self, number: u32) -> Result<Queue, InstallError> {
        let mut out = Queue::default();
        let map = self.ready.maps().get("QUEUES")?;
        sys::lookup(map, &number.to_ne_bytes(), bytemuck::bytes_of_mut(&mut out))
            .map_err(system("read a queue"))?;
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
        let mut all = self.misses_before.clone();
        for program in &self.calls {
            *all.entry(program.name.clone()).or_default() += program.attached.misses();
        }
        if let Some(sockets) = &self.sockets {
            all.insert(Sockets::name(), sockets.misses());
        }
        all.into_iter().filter(|(_, misses)| *misses > 0).collect()
    }

    /// Makes the plan known to everybody who looks, see [`super::registry`]; again after a change.
    pub fn list(&self, header: PlanHeader, text: &str, listing: &Listing) -> Result<(), InstallError> {
        let maps = self.ready.maps();
        let id = |name| -> Result<u32, InstallError> {
            sys::map_id(maps.get(name)?).map_err(system("ask for a map's number"))
        };
        let header = PlanHeader { shared_map: id(".bss.shared")?, counters_map: id("COUNTERS")?, ..header };
        listing.write(header, text).map_err(system("publish the plan"))
    }

    /// Takes everything off the kernel's functions and cgroups; maps and counters stay readable.
    pub fn detach(&mut self) {
        self.naps.wake();
        for program in std::mem::take(&mut self.calls) {
            self.let_go(program.attached.retire());
        }
        self.naps.leave();
        self.lineage.clear();
        self.sockets = None;
        self.ingress = None;
        self.connect = None;
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        self.detach();
    }
}
