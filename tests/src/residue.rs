//! What an injector has left behind: everything of the kinds that it makes, compared with what was there
//! before it. In the guest nobody else makes any, so no name has to be trusted.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{cgroup, guest, network::sh, patience};

/// Promise 3 of the design: so long after any end nothing of ours remains. Software emulation on a busy
/// host gets more: the kernel frees maps by a work queue, after grace periods that every processor ends; 3 s have been
/// too few there. What leaks is there for good.
fn promise() -> Duration {
    let emulated = fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("QEMU TCG"));
    Duration::from_secs(if emulated { 10 } else { 1 })
}

/// All that there is of the kinds that an injector makes.
#[derive(Debug)]
pub struct Census {
    found: BTreeSet<String>,
}

/// What may stay, by name, after a death that nobody could prepare for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceptions {
    /// Nothing.
    None,
    /// The cgroup of a command that outlives its injector; on kernels without tcx the clsact filter.
    Named,
}

impl Census {
    /// Takes stock.
    pub fn take() -> Result<Self> {
        let mut found = quick()?;
        found.extend(devices_and_filters()?);
        Ok(Self { found })
    }

    /// What is there now and was not then.
    pub fn left(&self) -> Result<Vec<String>> {
        Ok(Self::take()?.found.difference(&self.found).cloned().collect())
    }

    /// Waits until nothing is left, at most as long as is promised; gives the time it took.
    pub fn gone(&self, exceptions: Exceptions) -> Result<Duration> {
        let (start, promise) = (Instant::now(), promise());
        let excepted = |left: &String| exceptions == Exceptions::Named && is_named(left);
        let too_much = |found: BTreeSet<String>| -> Vec<String> {
            found.difference(&self.found).filter(|left| !excepted(left)).cloned().collect()
        };
        loop {
            // First what costs a few system calls, then what costs processes.
            let mut left = too_much(quick()?);
            if left.is_empty() {
                let took = start.elapsed();
                left = too_much(devices_and_filters()?);
                if left.is_empty() {
                    return Ok(took);
                }
            }
            if start.elapsed() > promise {
                bail!("{:.1} s after its end this is left: {left:#?}", start.elapsed().as_secs_f64());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn is_named(left: &str) -> bool {
    let clsact = left.starts_with("qdisc clsact") || left.starts_with("filter ");
    // What the filter holds: the gate, and the empty map that it asks.
    let gate = GATES.iter().any(|gate| left.ends_with(gate));
    let filter = clsact || (left.starts_with("BPF ") && gate);
    left.starts_with("cgroup ") || (filter && guest::Kernel::running().is_ok_and(|kernel| !kernel.has_tcx()))
}

/// The names of the filters' programs, as far as the kernel keeps them.
const GATES: [&str; 2] = [" injector_egress", " injector_inboun"];

/// BPF objects, cgroups of ours, processes of ours, mounts.
fn quick() -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    objects(&mut found)?;
    cgroups(Path::new(cgroup::MOUNT), &mut found)?;
    processes(&mut found)?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    found.extend(mounts.lines().map(|line| format!("mount {line}")));
    Ok(found)
}

/// Cgroups that `run` makes, wherever they are.
fn cgroups(below: &Path, found: &mut BTreeSet<String>) -> Result<()> {
    let Ok(entries) = fs::read_dir(below) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("injector-")) {
            found.insert(format!("cgroup {}", path.display()));
        }
        cgroups(&path, found)?;
    }
    Ok(())
}

/// Processes whose program is the injector.
fn processes(found: &mut BTreeSet<String>) -> Result<()> {
    let injector = fs::canonicalize(guest::injector()?).context("cannot find the injector")?;
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        if fs::read_link(path.join("exe")).is_ok_and(|exe| exe == injector) {
            found.insert(format!("process {}", path.display()));
        }
    }
    Ok(())
}

/// Devices, queueing disciplines and filters of this network namespace and of all that have a name.
fn devices_and_filters() -> Result<BTreeSet<String>> {
    let mut spaces = vec![String::new()];
    if let Ok(entries) = fs::read_dir("/run/netns") {
        for entry in entries {
            spaces.push(format!("-n {}", entry?.file_name().to_string_lossy()));
        }
    }
    let mut found = BTreeSet::new();
    for space in spaces {
        for line in sh(&format!("ip -o {space} link show"))?.lines() {
            // `2: eth0@if3: <…`
            let Some(name) = line.split(": ").nth(1) else { continue };
            let name = name.split('@').next().unwrap_or(name);
            found.insert(format!("device {name} {space}"));
        }
        for line in sh(&format!("tc {space} qdisc show"))?.lines().map(str::trim) {
            found.insert(format!("{line} {space}"));
            // `qdisc clsact ffff: dev eth0 parent …`: only where it is, a packet that comes or goes meets filters.
            let words: Vec<_> = line.split(' ').collect();
            let [_, "clsact" | "ingress", _, "dev", name, ..] = words[..] else { continue };
            for side in ["ingress", "egress"] {
                let filters = sh(&format!("tc {space} filter show dev {name} {side}"))?;
                found.extend(filters.lines().map(|line| format!("filter {line} of {name} {side} {space}")));
            }
        }
    }
    Ok(found)
}

// Commands of bpf(2) (include/uapi/linux/bpf.h).
const NEXT_PROGRAM: libc::c_long = 11;
const NEXT_MAP: libc::c_long = 12;
const OPEN_PROGRAM: libc::c_long = 13;
const GET_INFO: libc::c_long = 15;
const NEXT_LINK: libc::c_long = 31;

/// All BPF objects by their numbers; programs with their names, maps with those of the programs that use
/// them. A map is never opened: whoever closes a program array again within a moment of its last owner
/// makes the kernel keep it for ever (kernel/bpf/arraymap.c, `prog_array_map_clear` takes a reference for
/// work that is already on its way).
fn objects(found: &mut BTreeSet<String>) -> Result<()> {
    let mut users = BTreeMap::new();
    for id in numbers(NEXT_PROGRAM)? {
        let Some(program) = Program::numbered(id) else { continue };
        found.insert(format!("BPF program {id} {}", program.name));
        users.extend(program.maps.into_iter().map(|map| (map, program.name.clone())));
    }
    for id in numbers(NEXT_MAP)? {
        let user = users.get(&id).map(|name| format!(" of {name}")).unwrap_or_default();
        found.insert(format!("BPF map {id}{user}"));
    }
    found.extend(numbers(NEXT_LINK)?.into_iter().map(|id| format!("BPF link {id}")));
    Ok(())
}

/// The numbers of all objects of a kind.
fn numbers(next: libc::c_long) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    let mut id = 0;
    loop {
        // start_id, next_id
        let mut attributes = [u64::from(id), 0];
        if bpf(next, &mut attributes).is_err() {
            return Ok(found);
        }
        id = u32::try_from(attributes[0] >> 32)?;
        found.push(id);
    }
}

/// What is asked of a program.
struct Program {
    name: String,
    /// Numbers of the maps that it uses.
    maps: Vec<u32>,
}

/// The head of `bpf_prog_info`.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Info {
    _kind_id_tag_lengths: [u32; 6],
    _instructions_load_time: [u64; 3],
    _owner: u32,
    map_count: u32,
    map_ids: u64,
    name: [u8; 16],
}

impl Program {
    /// None if it is gone by now.
    fn numbered(id: u32) -> Option<Self> {
        let descriptor = RawFd::try_from(bpf(OPEN_PROGRAM, &mut [u64::from(id), 0]).ok()?).ok()?;
        // SAFETY: the call has just opened it for us.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        let mut maps = vec![0u32; 64];
        let mut info: Info = bytemuck::Zeroable::zeroed();
        (info.map_count, info.map_ids) = (u32::try_from(maps.len()).ok()?, maps.as_mut_ptr() as u64);
        // bpf_fd and info_len, then the address.
        let descriptor = u64::try_from(descriptor.as_raw_fd()).ok()?;
        let length = size_of::<Info>() as u64;
        bpf(GET_INFO, &mut [descriptor | length << 32, (&raw mut info) as u64]).ok()?;
        maps.truncate(usize::try_from(info.map_count).ok()?);
        let name = info.name.into_iter().take_while(|byte| *byte != 0).collect();
        Some(Self { name: String::from_utf8(name).ok()?, maps })
    }
}

/// bpf(2) with the first 16 bytes of its attributes, in the order of little endian.
fn bpf(command: libc::c_long, attributes: &mut [u64; 2]) -> nix::Result<libc::c_long> {
    // SAFETY: the commands used here read and write at most the 16 bytes given; the info is as long as the
    // length beside its address, and has room for so many maps as it says.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), size_of_val(attributes)) };
    nix::errno::Errno::result(result)
}

/// Waits until the process is gone, or a zombie that waits for us.
pub fn wait_gone(pid: u32) -> Result<()> {
    patience::until("the end of a process", patience::LONG, || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        Ok(stat.is_empty() || stat.contains(") Z "))
    })?;
    Ok(())
}
