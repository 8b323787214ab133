//! Faults that programs in the kernel inject, on calls, operations and packets: the plan's [`Installation`], and what is
//! at the devices of its targets.

mod attach;
mod cgroup_tree;
mod change;
mod cover;
mod needs;
mod notes;
mod process_tree;
mod returns;

use std::{collections::BTreeSet, time::Duration};

use crate::{
    faults::{
        bpf::notes::Notes,
        error::FaultError,
        fault::{Fault, Scene},
    },
    kernel::{
        installation::{Handle, InstallError, Installation, Program, Readings, sleep::Shortfall},
        net::Coverage,
    },
    plan::{Plan, backend::Site},
    target::Target,
};

/// The programs of a live plan.
#[derive(Debug)]
pub struct BpfFaults {
    // First, so that nothing is at a device any more when the programs go.
    coverage: Option<Coverage>,
    installation: Installation,
    /// What is attached for a plan that does not act yet.
    prepared: Vec<Program>,
    notes: Notes,
}

impl Fault for BpfFaults {
    fn needs(plan: &mut Plan, scene: Scene<'_>) -> Result<Vec<String>, FaultError> {
        needs::check(plan, scene)
    }

    /// All else is attached when it is made; other injectors take filters at devices for leftovers as long as the plan is
    /// not listed.
    fn start(&mut self, _: &Plan, scene: Scene<'_>) -> Result<(), FaultError> {
        self.cover_devices(scene.targets)
    }

    fn change(&mut self, plan: &Plan, scene: Scene<'_>) -> Result<(), FaultError> {
        self.prepare_change(plan, scene)
    }

    fn switch(&mut self, acting: &Plan, plan: &Plan) {
        self.installation.switch(Some(acting), plan);
        self.installation.keep(std::mem::take(&mut self.prepared));
    }

    fn release(&mut self, acting: &Plan) {
        self.give_up_unneeded(acting);
    }

    fn tend(&mut self, targets: &[Target], period: Duration) -> Result<(), FaultError> {
        self.installation.tend_call_delays(period)?;
        let events = self.look_at_devices(targets)?;
        self.notes.add_devices(events);
        Ok(())
    }

    fn stop(&mut self, stays: bool) -> Result<(), FaultError> {
        let left = self.coverage.take().map(Coverage::remove).transpose();
        self.installation.detach(stays);
        self.notes.add_lost(left?);
        Ok(())
    }

    fn report(&mut self) -> Vec<String> {
        self.notes.take()
    }
}

impl BpfFaults {
    /// What others need of the plan.
    pub fn handle(&self) -> &Handle {
        self.installation.handle()
    }

    /// Where programs are that decide about calls.
    pub fn sites(&self) -> BTreeSet<Site> {
        self.installation.sites()
    }

    /// What the plan counts.
    ///
    /// # Errors
    /// [`InstallError`]: no descriptor is left.
    pub fn readings(&self) -> Result<Readings, InstallError> {
        self.installation.readings()
    }

    /// The ring buffer of events.
    ///
    /// # Errors
    /// [`InstallError`]: no descriptor is left, or the ring buffer cannot be mapped.
    pub fn events(&self) -> Result<aya::maps::RingBuf<aya::maps::MapData>, InstallError> {
        self.installation.events()
    }

    /// Programs that the kernel skipped because they were running already, by function; none that never was.
    pub fn misses(&self) -> Vec<(String, u64)> {
        self.installation.misses()
    }

    /// How often delays fell short.
    pub fn shortfall(&self) -> Shortfall {
        self.installation.shortfall()
    }

    /// Hands on what the programs have told of their decisions, if they do.
    pub fn say_messages(&mut self) {
        self.installation.say_messages();
    }

    /// Waits until devices come or go, and acts on it; never ends where none is covered. Can be dropped and called again.
    pub async fn follow_devices(&mut self) {
        match &mut self.coverage {
            Some(coverage) => {
                let events = coverage.changes().await;
                self.notes.add_devices(events);
            }
            None => std::future::pending().await,
        }
    }
}
