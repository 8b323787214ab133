//! What there is to know of the running kernel before a plan is put into it. Each is read when it is asked for first.

use std::{collections::BTreeSet, sync::OnceLock};

use crate::{
    kernel::{
        bpf::btf::KernelBtf,
        net,
        probe::{self, kernel_config},
        syscall::{Attach, backends},
    },
    plan::unsupported::{Mechanism, Unsupported},
    syscalls::Call,
    target::Procfs,
};

/// More calls than this, of all ABIs (one or two names have at most six), are many, see [`backends`]: `fmod_ret` loads
/// and verifies a program for each, 58 million instructions, and waits for all tasks when each is taken off.
const MANY: usize = 6;

/// The running kernel.
#[derive(Default)]
pub struct RunningKernel {
    btf: OnceLock<KernelBtf>,
    fully_preemptible: OnceLock<bool>,
    procfs: Procfs,
}

impl RunningKernel {
    /// Its types.
    ///
    /// # Errors
    /// It has no type information, or that cannot be read.
    pub fn btf(&self) -> Result<&KernelBtf, Unsupported> {
        if let Some(btf) = self.btf.get() {
            return Ok(btf);
        }
        let btf = probe::btf()?;
        Ok(self.btf.get_or_init(|| btf))
    }

    /// Its processes.
    pub fn procfs(&self) -> &Procfs {
        &self.procfs
    }

    /// Tries a mechanism, by attaching a program that changes nothing; leaves nothing attached.
    ///
    /// # Errors
    /// Why it is not there.
    pub fn probe(&self, mechanism: Mechanism) -> Result<(), Unsupported> {
        probe::probe(mechanism, self.btf()?)
    }

    /// The ways to these calls, the cheapest for everybody else first.
    ///
    /// # Errors
    /// As [`Self::btf`].
    pub fn backends(
        &self,
        calls: impl IntoIterator<Item = Call>,
    ) -> Result<Vec<Box<dyn Attach + '_>>, Unsupported> {
        let many = calls.into_iter().collect::<BTreeSet<_>>().len() > MANY;
        let fully_preemptible = *self.fully_preemptible.get_or_init(kernel_config::fully_preemptible);
        Ok(backends(self.btf()?, fully_preemptible, many))
    }

    /// The way to the devices.
    ///
    /// # Errors
    /// Why there is none.
    pub fn device_mechanism(&self) -> Result<net::Mechanism, Unsupported> {
        if self.probe(Mechanism::Tcx).is_ok() {
            return Ok(net::Mechanism::Tcx);
        }
        self.probe(Mechanism::Clsact).map(|()| net::Mechanism::Clsact)
    }
}
