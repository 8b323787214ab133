//! A plan in the kernel: maps filled, programs attached. It lives as long as this value, and ends with
//! the process however that ends, since nothing is pinned.

mod attach;
pub mod cgroups;
mod elements;
mod handle;
mod readings;
pub mod sleep;
pub mod sockets;

use std::{
    collections::{BTreeMap, BTreeSet},
    os::fd::{BorrowedFd, OwnedFd},
    time::Duration,
};

use injector_common::{
    address_set::Element,
    call::{ABI_COMPAT, CALLS_PER_ABI, CallRules, PACKETS, Run, Slot},
    config::{Config, Offsets, USES_DELAYS, USES_OBJECTS},
    name::NameKey,
    shared::Shared,
    thread,
};

pub use crate::kernel::{
    error::InstallError,
    installation::{handle::Handle, readings::Readings},
};
use crate::{
    kernel::{
        bpf::{
            btf::KernelBtf,
            loader::{LoadedObject, Sizes},
            messages::Messages,
            offsets, sys,
            tables::Tables,
        },
        error::system,
        installation::{
            cgroups::AtCgroups,
            elements::Elements,
            sleep::{CallDelays, Shortfall},
            sockets::Sockets,
        },
        sleep::Lost,
        syscall::Attached,
    },
    plan::{Plan, address_sets, backend::Site, delay_line, names, objects::PLACES},
    target::rlimit,
};

/// Bytes of the ring buffer: some 19,000 events.
const EVENTS: u32 = 4 << 20;
/// The same where no event is made: the least that the kernel takes is a page of any size.
const NO_EVENTS: u32 = 1 << 16;

/// Flows of packets that a plan knows at a time, if it has to do with packets or may get to.
const FLOWS: u32 = 16_384;

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

/// A plan in the kernel: its maps and programs, which go when this value is dropped.
#[derive(Debug)]
pub struct Installation {
    // First, so that whoever sleeps is awake before the programs go.
    pub(super) call_delays: CallDelays,
    pub(super) object: LoadedObject,
    messages: Option<Messages>,
    handle: Handle,
    tables: Tables,
    addresses: Elements<Element, u8>,
    names: Elements<NameKey, u64>,
    offsets: Offsets,
    pub(super) calls: Vec<Program>,
    /// Skipped runs of programs that a change of the plan has taken off.
    misses_before: BTreeMap<String, u64>,
    process_tree: Vec<(&'static str, OwnedFd, OwnedFd)>,
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
    ///
    /// # Errors
    /// [`InstallError`]: a map cannot be made, a program is refused, or the kernel's types lack something.
    /// Nothing is left attached.
    pub fn prepare(plan: &Plan, subjects: Subjects, btf: &KernelBtf) -> Result<Self, InstallError> {
        rlimit::raise();
        let config = Config {
            plan: u64::from(plan.id),
            cgroups: u32::from(subjects.cgroups),
            processes: u32::from(subjects.processes),
            monitor: u32::from(plan.options.monitor),
            slots: plan.room,
            features: plan.features,
            delay_line: if plan.packets && !plan.options.monitor { delay_line::device(plan.id) } else { 0 },
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
        let object = LoadedObject::prepare(&config, sizes, btf)?;
        let handle = Handle::new(object.maps(), thread::state_size(config.slots) as usize)?;
        let (calls, slots) = (object.maps().get("CALLS")?, object.maps().get("SLOTS")?);
        let tables = Tables::map(calls, slots, 2 * plan.room).map_err(system("map the tables of rules"))?;
        let messages = object.messages().map_err(system("read what the programs tell of their decisions"))?;
        let mut this = Self {
            messages,
            call_delays: CallDelays::default(),
            offsets: config.offsets,
            object,
            handle,
            tables,
            addresses: Elements::default(),
            names: Elements::default(),
            calls: Vec::new(),
            misses_before: BTreeMap::new(),
            process_tree: Vec::new(),
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
        if subjects.processes || subjects.command {
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

    /// Writes the plan where no call looks yet: rules under their numbers, slots from its base on. The rules of
    /// `acting` are met meanwhile.
    ///
    /// # Errors
    /// [`InstallError`]: a map has no room, or cannot be written.
    pub fn fill(&mut self, acting: Option<&Plan>, plan: &Plan) -> Result<(), InstallError> {
        self.addresses
            .fill(self.object.maps().get("ADDRESS_SETS")?, acting, plan, |rule| {
                address_sets(rule).into_iter().map(|element| (element, 1)).collect()
            })
            .map_err(system("write the addresses and ports of a rule"))?;
        self.names
            .fill(self.object.maps().get("NAMES")?, acting, plan, names)
            .map_err(system("write the names of a rule"))?;
        let rules = self.object.maps().get("RULES")?;
        for rule in &plan.rules {
            sys::update(rules, &rule.entry.to_ne_bytes(), bytemuck::bytes_of(&rule.kernel))
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
                sys::update(self.object.maps().get(name)?, &place.to_ne_bytes(), value)
                    .map_err(system(format!("fill the map {name}")))?;
            }
        }
        self.tables.write(plan.base, &located(plan, &self.offsets));
        Ok(())
    }

    /// Waits until no call looks at what was switched before, so that it can be written again.
    ///
    /// # Errors
    /// [`InstallError`]: the maps cannot be made by which the kernel is made to wait.
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

    /// Adds a cgroup to those whose tasks and packets are ours. Its parent's target index goes with it.
    /// Says whether it is new.
    ///
    /// # Errors
    /// [`InstallError`]: the table of cgroups is full (65,536), or there is no memory.
    pub fn add_cgroup(&self, id: u64, target: u32) -> Result<bool, InstallError> {
        use std::sync::atomic::Ordering::Relaxed;
        let map = self.object.maps().get("CGROUPS")?;
        match sys::insert(map, &id.to_ne_bytes(), &target.to_ne_bytes()) {
            Ok(true) => {
                let entry = injector_common::shared::cgroup_entry(id);
                self.shared().cgroups[entry].fetch_add(1, Relaxed);
                Ok(true)
            }
            Ok(false) => Ok(false),
            Err(source) => Err(system("add a target cgroup")(source)),
        }
    }

    /// Starts what makes calls wait, if it is not there. Nobody waits longer than `longest` at a time.
    ///
    /// # Errors
    /// [`InstallError`]: one of the three helpers cannot be started, or FUSE is missing.
    pub fn begin_call_delays(&mut self, longest: Duration) -> Result<(), InstallError> {
        let mut call_delays = std::mem::take(&mut self.call_delays);
        let exempt = |process: BorrowedFd<'_>| self.handle.exempt(process);
        let table = self.object.maps().get("SLEEP_SLOTS")?;
        let begun = call_delays.begin(table, self.handle.state(), longest, exempt);
        self.handle.set_helpers(call_delays.numbers());
        self.call_delays = call_delays;
        begun
    }

    /// Looks after the delays, every `period`: are the helpers well, and are there enough programs that sleep?
    ///
    /// # Errors
    /// There will be no more delays; the rules ought to end.
    pub fn tend_call_delays(&mut self, period: Duration) -> Result<(), Lost> {
        if let Err(lost) = self.call_delays.check(period) {
            // At once: taking the plan off can take a while.
            self.call_delays.wake();
            return Err(lost);
        }
        for end in self.call_delays.missed(self.handle.state()) {
            for program in &mut self.calls {
                match program.attached.grow(&self.object, self.handle.state(), end) {
                    Ok(Some(count)) => tracing::debug!(count, ?end, "more programs that sleep"),
                    Ok(None) => {}
                    // Other tools' programs take room as well; what cannot be delayed is counted.
                    Err(error) => tracing::debug!(%error, "no more programs that sleep"),
                }
            }
        }
        Ok(())
    }

    /// Hands on what the programs have told of their decisions, if they do.
    pub fn say_messages(&mut self) {
        if let Some(messages) = &mut self.messages {
            messages.say();
        }
    }

    /// How often delays fell short.
    pub fn shortfall(&self) -> Shortfall {
        sleep::shortfall(self.shared())
    }

    /// What others need of the plan.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// What both sides have open.
    pub(super) fn shared(&self) -> &Shared {
        self.handle.state()
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        self.detach(false);
    }
}
