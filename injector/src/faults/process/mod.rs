//! Faults of whole processes: they stand still, or get a signal (`--process`). A thread carries the rules out
//! (`driver`), and a process sees to it that nobody stands still for ever (`warden`).

mod acting;
mod asked;
mod driver;
mod hold;
mod kill;
pub(super) mod mark;
mod needs;
mod rounds;
mod victims;
mod warden;

use crate::{
    faults::{
        error::FaultError,
        fault::{Fault, Scene, Services},
        process::{
            asked::of,
            driver::{Driver, Orders, Tools},
            victims::Spared,
            warden::Warden,
        },
    },
    plan::Plan,
    target::{Hierarchy, Target, TargetError},
};

/// The rules on processes of a plan, carried out from when the first one is there.
#[derive(Debug)]
pub(super) struct ProcessFaults {
    services: Services,
    driver: Option<Driver>,
    /// Was a warden started?
    guarded: bool,
    /// What was not reported yet when it was stopped.
    notes: Vec<String>,
}

impl Fault for ProcessFaults {
    fn needs(plan: &mut Plan, scene: Scene<'_>) -> Result<Vec<String>, FaultError> {
        needs::check(plan, scene)
    }

    fn start(&mut self, plan: &Plan, scene: Scene<'_>) -> Result<(), FaultError> {
        if !plan.rules.iter().any(|rule| of(rule).is_some()) {
            return Ok(());
        }
        let system = |what: &str| {
            let what = what.to_owned();
            move |source| FaultError::System { what, source }
        };
        let hierarchy = Hierarchy::discover(scene.kernel.procfs()).map_err(TargetError::from)?;
        let orders = self.orders(plan, scene.targets, &hierarchy)?;
        if let Some(driver) = &self.driver {
            return driver.change(orders).map_err(system("change the rules on processes"));
        }
        let tools = Tools {
            plan: plan.id,
            monitor: plan.options.monitor,
            records: plan.options.records,
            top: hierarchy.mount_point().into(),
            services: self.services.clone(),
        };
        self.driver = Some(Driver::start(tools, orders).map_err(system("start a thread"))?);
        Ok(())
    }

    fn change(&mut self, plan: &Plan, scene: Scene<'_>) -> Result<(), FaultError> {
        match &self.driver {
            None => self.start(plan, scene),
            Some(_) if plan.rules.iter().any(|rule| of(rule).is_some()) => self.start(plan, scene),
            Some(_) => self.stop(true),
        }
    }

    fn stop(&mut self, _: bool) -> Result<(), FaultError> {
        let Some(mut driver) = self.driver.take() else { return Ok(()) };
        self.guarded = false;
        let lived = driver.stop();
        let told = driver.told();
        self.notes.extend(told.notes);
        match told.remains.into_iter().next() {
            Some(remains) => Err(FaultError::Remains(remains)),
            None if lived => Ok(()),
            None => {
                Err(FaultError::Remains("the thread that carries out rules on processes has died".into()))
            }
        }
    }

    fn report(&mut self) -> Vec<String> {
        let mut notes = std::mem::take(&mut self.notes);
        notes.extend(self.driver.as_ref().map(Driver::notes).unwrap_or_default());
        notes
    }
}

impl ProcessFaults {
    /// None yet.
    pub(super) fn new(services: Services) -> Self {
        Self { services, driver: None, guarded: false, notes: Vec::new() }
    }

    /// What the thread is to do, with a warden if it needs one and has none.
    fn orders(
        &mut self,
        plan: &Plan,
        targets: &[Target],
        hierarchy: &Hierarchy,
    ) -> Result<Orders, FaultError> {
        let rules: Vec<_> =
            plan.rules.iter().filter_map(|rule| Some((rule.clone(), of(rule)?.clone()))).collect();
        let targets = targets.iter().map(Target::try_clone).collect::<Result<_, _>>();
        let targets =
            targets.map_err(|source| FaultError::System { what: "hold a target open".into(), source })?;
        let handle = &self.services.handle;
        let mut spared = Spared::of(&plan.options);
        spared.own.extend(handle.helpers());
        let guarded = !plan.options.monitor && rules.iter().any(|(_, asked)| asked.pauses());
        let warden = if guarded && !self.guarded {
            let warden = Warden::start(plan.id, hierarchy.mount_point(), handle.state());
            let warden = warden
                .map_err(|source| FaultError::System { what: "start injector-warden".into(), source })?;
            handle.exempt(warden.pidfd())?;
            spared.own.insert(warden.number());
            self.guarded = true;
            Some(warden)
        } else {
            None
        };
        Ok(Orders { rules, targets, spared, warden })
    }
}
