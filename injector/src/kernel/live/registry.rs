//! The plans that live on this machine, found in the kernel itself: every plan has a map of a known name
//! that says what it does. There is no file that could be left behind or be wrong.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::atomic::Ordering::Relaxed,
};

use aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_ARRAY;
use bytemuck::Zeroable;
use injector_common::{
    counters::Counters,
    plan::{MAGIC, MAP_NAME, PlanHeader, SCHEMA, TEXT},
};

use crate::{
    kernel::{
        bpf::{mapped::SharedMemory, sys},
        live::control::ControlChannel,
    },
    target::Procfs,
};

const VALUE: usize = size_of::<PlanHeader>() + TEXT;

/// The map of a plan of ours, which is listed as long as this lives.
#[derive(Debug)]
pub struct Listing(OwnedFd);

impl Listing {
    /// Makes the map; it says nothing yet.
    ///
    /// # Errors
    /// bpf(2)'s: a right is missing, or there is no memory or descriptor.
    pub fn make() -> io::Result<Self> {
        let map = sys::create_map(&sys::MapShape {
            name: MAP_NAME,
            kind: BPF_MAP_TYPE_ARRAY as u32,
            key_size: 4,
            value_size: u32::try_from(VALUE).unwrap_or(u32::MAX),
            max_entries: 1,
            ..sys::MapShape::default()
        })?;
        Ok(Self(map))
    }

    /// Says what the plan is now.
    pub(crate) fn write(&self, header: PlanHeader, text: &str) -> io::Result<()> {
        let end = text.floor_char_boundary(TEXT);
        let header =
            PlanHeader { magic: MAGIC, schema: SCHEMA, text: u32::try_from(end).unwrap_or(0), ..header };
        let mut value = vec![0; VALUE];
        let (head, body) = value.split_at_mut(size_of::<PlanHeader>());
        head.copy_from_slice(bytemuck::bytes_of(&header));
        body[..end].copy_from_slice(&text.as_bytes()[..end]);
        sys::update(self.0.as_fd(), &0u32.to_ne_bytes(), &value)
    }
}

/// A plan that lives, ours or another's.
#[derive(Debug)]
pub struct LivePlan {
    /// The number of the map that says so.
    pub map: u32,
    /// What it says of itself.
    pub header: PlanHeader,
    /// Lines of `key=value`.
    pub text: String,
}

impl LivePlan {
    /// The plan's number, as it is typed: eight hexadecimal digits.
    pub fn id(&self) -> String {
        format!("{:08x}", self.header.plan)
    }

    /// The injector's process number, if it means something in this pid namespace.
    pub fn pid(&self) -> Option<u32> {
        let here = Procfs::default().pid_namespace().ok()?;
        (self.header.pid_namespace == here).then_some(self.header.pid)
    }

    /// The counters of the rules that it has or has had, by number.
    ///
    /// # Errors
    /// bpf(2)'s: `NotFound` if the plan has ended meanwhile.
    pub fn counters(&self) -> io::Result<Vec<Counters>> {
        let map = sys::open_map(self.header.counters_map)?;
        (0..self.header.rules)
            .map(|rule| {
                let mut out = Counters::zeroed();
                sys::lookup(map.as_fd(), &rule.to_ne_bytes(), bytemuck::bytes_of_mut(&mut out))?;
                Ok(out)
            })
            .collect()
    }

    /// The values of a key of its text.
    pub fn said(&self, key: &str) -> Vec<String> {
        let lines = self.text.lines().filter_map(|line| line.split_once('='));
        lines.filter(|(name, _)| *name == key).map(|(_, value)| as_it_was(value)).collect()
    }

    /// The texts of its rules, with their numbers.
    pub fn rules(&self) -> Vec<(u32, String)> {
        let lines = self.said("rule");
        let rules = lines.iter().filter_map(|line| {
            let (number, text) = line.split_once(' ')?;
            Some((number.parse().ok()?, text.to_owned()))
        });
        rules.collect()
    }

    /// Its shared memory.
    ///
    /// # Errors
    /// bpf(2)'s or mmap(2)'s: `NotFound` if the plan has ended meanwhile.
    pub fn shared(&self) -> io::Result<SharedMemory> {
        SharedMemory::map(sys::open_map(self.header.shared_map)?.as_fd())
    }

    /// Where it takes requests.
    ///
    /// # Errors
    /// bpf(2)'s: `NotFound` if the plan has ended meanwhile.
    pub fn channel(&self) -> io::Result<ControlChannel> {
        ControlChannel::open(self.header.requests_map, self.header.answers_map)
    }

    /// Is it still there? Looks at its own map and at no other: a program array that is opened and closed in the
    /// moment in which its last owner goes stays for ever (kernel/bpf/arraymap.c, `prog_array_map_clear` takes a
    /// reference for work that is on its way already).
    ///
    /// # Errors
    /// bpf(2)'s, but not that the map has gone.
    pub fn is_listed(&self) -> io::Result<bool> {
        match sys::open_map(self.map) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends its faults at once, in the kernel, whatever its injector does.
    ///
    /// # Errors
    /// bpf(2)'s or mmap(2)'s: `NotFound` if the plan has ended meanwhile.
    pub fn halt(&self) -> io::Result<()> {
        self.shared()?.deadline.store(0, Relaxed);
        Ok(())
    }
}

/// A value as it stands in a plan's text: the name of a cgroup can have any character but `/`.
pub fn in_one_line(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}

/// The other way round.
fn as_it_was(line: &str) -> String {
    let mut chars = line.chars();
    let mut value = String::with_capacity(line.len());
    while let Some(next) = chars.next() {
        value.push(match next {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                other => other.unwrap_or('\\'),
            },
            other => other,
        });
    }
    value
}

/// All plans that live, by number.
///
/// # Errors
/// bpf(2)'s; without CAP_SYS_ADMIN `PermissionDenied`, since no map can be opened by its number.
pub fn live_plans() -> io::Result<Vec<LivePlan>> {
    let mut plans = Vec::new();
    let mut id = 0;
    while let Some(next) = sys::next_map(id)? {
        id = next;
        // A map can go between its number and its opening. Any other error is one: a plan that is left out counts as dead.
        let map = match sys::open_map(id) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        let (name, size) = sys::map_name(map.as_fd())?;
        if name != MAP_NAME || size as usize != VALUE {
            continue;
        }
        let mut value = vec![0; VALUE];
        sys::lookup_settled(map.as_fd(), &0u32.to_ne_bytes(), &mut value)?;
        let (head, body) = value.split_at(size_of::<PlanHeader>());
        let header: PlanHeader = bytemuck::pod_read_unaligned(head);
        if header.magic == MAGIC && header.schema == SCHEMA {
            let text = String::from_utf8_lossy(&body[..(header.text as usize).min(TEXT)]).into_owned();
            plans.push(LivePlan { map: id, header, text });
        }
    }
    plans.sort_by_key(|plan| plan.header.started);
    Ok(plans)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_survives_the_text_in_one_line(value in "[a-z\\\\\n\r\u{1b}]{0,20}") {
            let line = in_one_line(&value);
            prop_assert!(!line.contains(['\n', '\r']));
            prop_assert_eq!(as_it_was(&line), value);
        }
    }
}
