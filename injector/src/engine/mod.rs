//! The public face: an [`Injector`] is told whom and what, makes a plan, and applies it. The [`Guard`]
//! that comes back is the fault: as long as it lives the rules act, and dropping it, or dying, ends them.

mod error;
mod events;
mod guard;
mod lineage;
mod listed;
mod object;
mod report;
pub mod request;
mod update;

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, BorrowedFd},
    path::Path,
};

use injector_common::packet::mapped;
use serde::Serialize;

pub use self::{
    error::{Blame, EngineError},
    events::{CallRecord, PacketRecord, Record, TaskRecord, Verdict},
    guard::{End, Guard},
    object::ObjectRecord,
    report::{DelayReport, DelayStep, PacketsReport, Report, RuleReport},
};
use crate::{
    kernel::{
        at_cgroup::Whose,
        btf::KernelBtf,
        installation::{InstallError, Installation, Subjects},
        packet::{self, Classifier, Coverage, Lines, Side},
        probe, registry, setting,
        syscall::{Backend, backends},
        unsupported::{Mechanism, Unsupported},
    },
    plan::{Line, Options, Plan, PlanError},
    resolver,
    spec::model::Rule,
    target::{self, Cgroup, Hierarchy, Init, Process, Procfs, Session, Target},
};

/// More calls than this, of all ABIs (some 30 names), are many, see [`backends`].
const MANY: usize = 96;

/// When the rules begin to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At once.
    Now,
    /// When a process in a target cgroup returns from execve: the command of `run`.
    AtExec,
}

/// Whom and what, before anything is done.
pub struct Injector {
    btf: KernelBtf,
    procfs: Procfs,
    fully_preemptible: bool,
    rules: Vec<Rule>,
    targets: Vec<Target>,
}

impl Injector {
    /// Reads the kernel's types; changes nothing.
    ///
    /// # Errors
    /// The kernel has no type information.
    pub fn new() -> Result<Self, EngineError> {
        Ok(Self {
            btf: probe::btf()?,
            procfs: Procfs::default(),
            fully_preemptible: setting::fully_preemptible(),
            rules: Vec::new(),
            targets: Vec::new(),
        })
    }

    /// Adds a rule; rules act in the order in which they are added.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds a target.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Makes the rules concrete for this kernel. Tries mechanisms by attaching programs that change
    /// nothing; leaves nothing attached.
    ///
    /// # Errors
    /// What the kernel, or the kind of target, cannot do.
    pub fn plan(&self, options: Options) -> Result<Plan, EngineError> {
        // First, since it is what every plan needs: whoever may do this may do the rest.
        probe::probe(Mechanism::Lineage, &self.btf)?;
        let backends = self.backends();
        let mut rules = self.rules.clone();
        resolver::resolve(&mut rules, None)?;
        let mut plan = Plan::new(&rules, options, fresh_id()?, &backends)?;
        let inhabited =
            |target: &Target| target.cgroup().is_some() && target.pids().is_ok_and(|pids| !pids.is_empty());
        if plan.needs_packets() && self.targets.iter().any(inhabited) {
            // sk_alloc sets a socket's cgroup, and nothing changes it (net/core/sock.c, cgroup_sk_alloc).
            plan.notes.push(
                "the target has processes already: a socket that one of them made in another cgroup belongs to that \
                 one, and its packets pass"
                    .into(),
            );
        }
        self.spare_session(&mut plan);
        self.check_packets(&plan, &self.targets)?;
        self.check_line(&mut plan)?;
        self.check_inbound(&plan, &self.targets)?;
        Ok(plan)
    }

    /// Has the rules on packets leave the connection alone by which the user came, unless that is insisted on.
    fn spare_session(&self, plan: &mut Plan) {
        if plan.options.insist {
            return;
        }
        let Some(session) = Session::of(std::process::id(), &self.procfs) else { return };
        let end = |address: SocketAddr| match address.ip() {
            IpAddr::V4(ip) => (mapped(ip.octets()), address.port()),
            IpAddr::V6(ip) => (ip.octets(), address.port()),
        };
        plan.session = injector_common::session::Session::between(end(session.client), end(session.server));
        if plan.needs_packets() {
            plan.notes.push(format!(
                "the packets of your SSH session, {session}, pass (with --unsafe they do not)"
            ));
        }
    }

    /// Can the rules on packets be had with these targets?
    fn check_packets(&self, plan: &Plan, targets: &[Target]) -> Result<(), EngineError> {
        let tree = has_tree(targets);
        if plan.needs_packets() && tree {
            probe::probe(Mechanism::Sockets, &self.btf)?;
        }
        if (plan.needs_ingress() || plan.needs_connect()) && tree {
            probe::probe(Mechanism::CgroupV2, &self.btf)?;
        }
        if plan.needs_ingress() {
            probe::probe(Mechanism::CgroupIngress, &self.btf)?;
        }
        if plan.needs_connect() {
            probe::probe(Mechanism::CgroupConnect, &self.btf)?;
        }
        if plan.needs_devices() {
            self.device_mechanism()?;
        }
        Ok(())
    }

    /// Can packets wait that come in? All who live where the targets do have to be targets.
    fn check_inbound(&self, plan: &Plan, targets: &[Target]) -> Result<(), EngineError> {
        let Some(rule) = plan.inbound() else { return Ok(()) };
        let pids = || targets.iter().filter_map(|target| target.pids().ok()).flatten().collect::<Vec<_>>();
        let mut namespaces = packet::namespaces_of(pids(), &self.procfs)?;
        if namespaces.is_empty() {
            // As in [`Coverage::follow`].
            namespaces = packet::namespaces_of([std::process::id()], &self.procfs)?;
        }
        let namespaces = namespaces.into_keys().collect();
        match packet::shared(&namespaces, &self.procfs, pids)?.pop_first() {
            Some((_, shared)) => Err(EngineError::Inbound { rule: rule.text.clone(), shared }),
            None => Ok(()),
        }
    }

    /// Can packets make their detour? Where they do so only to be taken apart, it goes without.
    fn check_line(&self, plan: &mut Plan) -> Result<(), EngineError> {
        let Some(line) = plan.line else { return Ok(()) };
        let Err(cause) = probe::probe(Mechanism::DelayLine, &self.btf) else { return Ok(()) };
        if line.queue.is_some() || line.checksums || plan.inbound().is_some() {
            return Err(cause.into());
        }
        plan.notes.push(format!(
            "packets that are several on the wire are lost, doubled and damaged as one: {cause}; {}",
            cause.remedy
        ));
        plan.line = None;
        for rule in &mut plan.rules {
            rule.kernel.netem.road = 0;
        }
        Ok(())
    }

    fn backends(&self) -> Vec<Box<dyn Backend + '_>> {
        let calls: BTreeSet<_> = self.rules.iter().flat_map(Rule::calls).collect();
        backends(&self.btf, self.fully_preemptible, calls.len() > MANY)
    }

    fn device_mechanism(&self) -> Result<packet::Mechanism, Unsupported> {
        if probe::probe(Mechanism::Tcx, &self.btf).is_ok() {
            return Ok(packet::Mechanism::Tcx);
        }
        probe::probe(Mechanism::Clsact, &self.btf).map(|()| packet::Mechanism::Clsact)
    }

    /// Applies the plan, whole or not at all. To be called in a tokio runtime.
    ///
    /// # Errors
    /// Whatever failed; nothing is left attached then.
    pub fn apply(self, plan: Plan, start: Start) -> Result<Guard, EngineError> {
        let subjects = Subjects {
            cgroups: self.targets.iter().any(|target| target.cgroup().is_some()),
            processes: has_tree(&self.targets),
            command: start == Start::AtExec,
        };
        let mut installation = Installation::prepare(&plan, subjects, &self.btf)?;
        self.exempt(&installation, &plan)?;
        if plan.needs_naps() {
            installation.begin_naps(plan.options.longest_nap)?;
        }
        if plan.needs_packets() {
            installation.follow_sockets(&self.btf)?;
        }
        // Processes first: a fork in a target cgroup gives the child a state, and one that has a state
        // could no longer be marked.
        for (target, number) in self.targets.iter().zip(0..) {
            if let Target::Process(process) = target {
                lineage::mark_tree(&installation, process, number, &self.procfs)?;
            }
        }
        let cgroups = || self.targets.iter().zip(0..).filter_map(|(target, n)| Some((target.cgroup()?, n)));
        for (cgroup, number) in cgroups() {
            add_tree(&installation, cgroup, number)?;
        }
        if plan.needs_ingress() {
            at_cgroups(&self.targets, &self.procfs, |whose, cgroup| {
                installation.attach_ingress(whose, cgroup)
            })?;
        }
        if plan.needs_connect() {
            at_cgroups(&self.targets, &self.procfs, |whose, cgroup| {
                installation.attach_connect(whose, cgroup)
            })?;
        }
        let coverage = self.cover(&installation, &plan)?;
        let programs = installation.attach_calls(&plan.sites, &self.backends())?;
        installation.keep(programs);
        // Last, so that a socket that was made before all this has been opened by now.
        if plan.needs_packets() {
            installation.mark_sockets(&self.btf)?;
        }
        Guard::start(plan, self.targets, &self.procfs, installation, coverage, start)
    }

    /// The injector itself is never met, nor is process 1 unless the user insists.
    fn exempt(&self, installation: &Installation, plan: &Plan) -> Result<(), EngineError> {
        use injector_common::thread::EXEMPT;
        let own = Process::own(&self.procfs).map_err(target::TargetError::from)?;
        installation.mark(own.pidfd(), 0, EXEMPT, 0)?;
        if !plan.options.insist
            && let Ok(init) = Process::open(1, Init::Allowed, &self.procfs)
        {
            installation.mark(init.pidfd(), 0, EXEMPT, 0)?;
        }
        Ok(())
    }

    /// Puts the packet programs on the devices of the targets.
    fn cover(&self, installation: &Installation, plan: &Plan) -> Result<Option<Coverage>, EngineError> {
        if !plan.needs_devices() {
            return Ok(None);
        }
        let sides = sides(plan).map(|side| self.classifier(installation, plan, side));
        let classifiers = sides.collect::<Result<_, _>>()?;
        let lines = plan.line.map(|needs| self.lines(installation, plan.id, needs)).transpose()?;
        Ok(Some(Coverage::new(classifiers, lines, self.procfs.clone())))
    }

    /// The packet program for a side of devices.
    fn classifier(
        &self,
        installation: &Installation,
        plan: &Plan,
        side: Side,
    ) -> Result<Classifier, EngineError> {
        let mechanism = self.device_mechanism()?;
        let program = installation.classifier(side, mechanism == packet::Mechanism::Clsact)?;
        Ok(Classifier { program, side, mechanism, plan: u64::from(plan.id) })
    }

    /// The delay lines of a plan, none of them laid yet.
    fn lines(&self, installation: &Installation, plan: u32, needs: Line) -> Result<Lines, EngineError> {
        Ok(Lines::new(plan, needs, self.device_mechanism()?, installation.line_programs()?)?)
    }
}

/// The sides of devices at which a plan has packets met.
fn sides(plan: &Plan) -> impl Iterator<Item = Side> {
    let inbound = plan.inbound().map(|_| Side::Ingress);
    plan.needs_egress().then_some(Side::Egress).into_iter().chain(inbound)
}

/// Is one of them a process tree?
fn has_tree(targets: &[Target]) -> bool {
    targets.iter().any(|target| matches!(target, Target::Process(_)))
}

/// Puts programs at the target cgroups, and at the root of all cgroups for process trees: a socket stays in the
/// cgroup in which it was made, one that is accepted in that of its listener, so those of a tree can be anywhere.
fn at_cgroups(
    targets: &[Target],
    procfs: &Procfs,
    mut attach: impl FnMut(Whose, BorrowedFd<'_>) -> Result<(), InstallError>,
) -> Result<(), EngineError> {
    let mut attach = |whose, path: &Path| {
        let directory =
            std::fs::File::open(path).map_err(|source| EngineError::Cgroup { path: path.into(), source })?;
        Ok::<_, EngineError>(attach(whose, directory.as_fd())?)
    };
    if has_tree(targets) {
        let hierarchy = Hierarchy::discover(procfs).map_err(target::TargetError::from)?;
        attach(Whose::Tree, hierarchy.mount_point())?;
    }
    // The program of a cgroup runs for all below it, so one below another target needs none.
    let mut covered: Vec<&Path> = Vec::new();
    let mut outermost: Vec<_> = targets.iter().filter_map(Target::cgroup).map(Cgroup::path).collect();
    outermost.sort_unstable();
    for path in outermost {
        if covered.iter().any(|above| path.starts_with(above)) {
            continue;
        }
        covered.push(path);
        attach(Whose::Cgroup, path)?;
    }
    Ok(())
}

/// Adds a cgroup and all that are below it. One that is made below a known one is followed by the kernel
/// side; one that is made below a listed one before that is known is found by another look.
fn add_tree(installation: &Installation, cgroup: &Cgroup, number: u32) -> Result<(), EngineError> {
    installation.add_cgroup(cgroup.id(), number)?;
    loop {
        let mut new = false;
        for below in cgroup.descendants().map_err(target::TargetError::from)? {
            new |= installation.add_cgroup(below.id, number)?;
        }
        if !new {
            return Ok(());
        }
    }
}

/// What a look for leftovers came to.
#[derive(Debug, Default, Serialize)]
pub struct Swept {
    /// What was taken away.
    pub removed: Vec<String>,
    /// What could not be looked at, or not be taken away.
    pub failed: Vec<String>,
}

/// Takes away what a killed injector could not: cgroups of commands that have ended, and, before 6.6,
/// filters of plans that no longer live. What cannot be looked at is left for the next time.
pub fn sweep() -> Swept {
    let procfs = Procfs::default();
    let mut swept = Swept::default();
    if let Ok(hierarchy) = Hierarchy::discover(&procfs) {
        match target::sweep(&hierarchy) {
            Ok(removed) => {
                swept.removed.extend(removed.iter().map(|path| format!("the cgroup {}", path.display())));
            }
            Err(error) => swept.failed.push(format!("cannot look for abandoned cgroups: {error}")),
        }
    }
    let plans = registry::live_plans();
    let filters = plans.map_err(|error| error.to_string()).and_then(|plans| {
        let alive = |plan: u64| plans.iter().any(|live| live.header.plan == plan);
        packet::sweep(&procfs, alive).map_err(|error| error.to_string())
    });
    match filters {
        Ok(removed) => swept.removed.extend(removed.iter().map(|filter| format!("the filter {filter}"))),
        Err(error) => swept.failed.push(format!("cannot look for abandoned filters: {error}")),
    }
    swept.removed.iter().for_each(|removed| tracing::info!(removed, "left by an injector that has ended"));
    swept.failed.iter().for_each(|failed| tracing::warn!(failed, "left for the next time"));
    swept
}

/// A plan's number: random, so that two injectors need not talk; short enough to type.
fn fresh_id() -> Result<u32, EngineError> {
    let taken: Vec<_> = registry::live_plans().unwrap_or_default();
    loop {
        let [_, _, _, _, a, b, c, d] = random_u64()?.to_ne_bytes();
        let id = u32::from_ne_bytes([a, b, c, d]);
        if id != 0 && taken.iter().all(|plan| plan.header.plan != u64::from(id)) {
            return Ok(id);
        }
    }
}

/// Eight bytes of the kernel's randomness.
pub fn random_u64() -> Result<u64, EngineError> {
    use std::io::Read as _;
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(EngineError::Random)?;
    Ok(u64::from_ne_bytes(bytes))
}

impl From<PlanError> for EngineError {
    fn from(error: PlanError) -> Self {
        Self::Plan(Box::new(error))
    }
}
