//! The capabilities of our threads. The kernel has them by thread (capabilities(7)): each gives up its own, and one that
//! begins later has those of the thread that makes it. What was given up does not come back, not by executing a program
//! either.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use rustix::{
    process::{DumpableBehavior, set_dumpable_behavior},
    thread::{
        CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
        clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
        set_no_new_privs,
    },
};

/// Leaves this thread none but those of `rights` that it has.
pub(crate) fn keep(rights: CapabilitySet) -> io::Result<()> {
    let held = capabilities(None)?;
    set_no_new_privs(true)?;
    if held.effective.contains(CapabilitySet::SETPCAP) {
        lower_bounds(rights)?;
    }
    clear_ambient_capability_set()?;
    let left = CapabilitySets {
        effective: held.effective & rights,
        permitted: held.permitted & rights,
        inheritable: CapabilitySet::empty(),
    };
    Ok(set_capabilities(None, left)?)
}

/// The same for a process, by the thread that is to have them; its others are left as they are. Nobody traces it then who
/// could not have before: else it would be open to all of its user who have as few (security/commoncap.c,
/// `cap_ptrace_access_check`).
pub(crate) fn keep_in_process(rights: CapabilitySet) -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    keep(rights)
}

/// Takes all but `rights` from what programs that this thread executes could ever get.
fn lower_bounds(rights: CapabilitySet) -> io::Result<()> {
    let each = (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit));
    // The first that the kernel does not know ends it.
    for capability in each.take_while(|&one| capability_is_in_bounding_set(one).is_ok()) {
        if !rights.contains(capability) {
            remove_capability_from_bounding_set(capability)?;
        }
    }
    Ok(())
}

/// What to say of `whose` capabilities that could not be given up.
pub(crate) fn kept_by(whose: &str, error: &io::Error) -> String {
    format!(
        "{whose} keeps all capabilities that it has, also those that it does not need any more: {error}; nothing else has \
         changed"
    )
}

/// What all threads of a plan keep from some moment on. Shared by its clones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ceiling(Arc<OnceLock<CapabilitySet>>);

impl Ceiling {
    /// From now on `rights`. It is not said twice.
    pub(crate) fn lower(&self, rights: CapabilitySet) {
        let _ = self.0.set(rights);
    }

    /// Has this thread keep to it; `below`: does it already?
    pub(crate) fn respect(&self, below: &mut bool) -> io::Result<()> {
        match self.0.get() {
            Some(&rights) if !*below => {
                *below = true;
                keep(rights)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use super::*;

    /// A field of this thread's status.
    fn field(name: &str) -> u64 {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        let text = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(text.trim(), 16).unwrap()
    }

    #[test]
    fn a_thread_keeps_what_is_said_and_others_keep_theirs() {
        let before = field("CapPrm:");
        let rights = CapabilitySet::KILL | CapabilitySet::BPF;
        thread::spawn(move || {
            keep(rights).unwrap();
            let left = before & rights.bits();
            assert_eq!((field("CapPrm:"), field("CapEff:") & !left), (left, 0));
            assert_eq!([field("CapInh:"), field("CapAmb:"), field("NoNewPrivs:")], [0, 0, 1]);
            thread::spawn(move || assert_eq!(field("CapPrm:"), left)).join().unwrap();
            keep(CapabilitySet::all()).unwrap();
            assert_eq!(field("CapPrm:"), left, "what was given up does not come back");
        })
        .join()
        .unwrap();
        assert_eq!(field("CapPrm:"), before);
    }

    #[test]
    fn a_ceiling_is_kept_to_once_it_is_lowered() {
        let (before, ceiling) = (field("CapPrm:"), Ceiling::default());
        let theirs = ceiling.clone();
        thread::spawn(move || {
            let mut below = false;
            theirs.respect(&mut below).unwrap();
            assert_eq!((below, field("CapPrm:")), (false, before));
            ceiling.lower(CapabilitySet::KILL);
            theirs.respect(&mut below).unwrap();
            assert_eq!((below, field("CapPrm:")), (true, before & CapabilitySet::KILL.bits()));
        })
        .join()
        .unwrap();
    }
}
