//! QEMU's command line and its process. The guest has no network and no disk: its files come from the host
//! over 9p, read-only; three ports of a virtio console carry stdout, stderr and the guest's reports.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::accelerator::Accelerator;
use super::files::Files;
use super::guest::Guest;
use crate::architecture::Architecture;
use crate::child;

/// A started QEMU, with our ends of the guest's streams.
pub(super) struct Machine {
    pub(super) qemu: Child,
    pub(super) stdout: UnixStream,
    pub(super) stderr: UnixStream,
    pub(super) reports: UnixStream,
}

/// Starts `guest`; `folder` holds its initramfs and takes its console and QEMU's own messages.
pub(super) fn start(
    guest: &Guest,
    files_of: &Files,
    accelerator: Accelerator,
    folder: &Path,
) -> Result<Machine> {
    // The guest must not outlive us, however we end; util-linux's setpriv asks the kernel for that.
    let mut command = Command::new("setpriv");
    let architecture = guest.kernel.name.architecture();
    let (emulator, package) = architecture.emulator();
    command.args(["--pdeathsig", "KILL", "--", emulator]);
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
    // The published figures are those of `max`.
    let (plain, counted) = match architecture {
        Architecture::X86_64 => ("max,-erms", "max"),
        Architecture::Arm64 => {
            command.args(["-machine", "virt,gic-version=3"]);
            // Signing and checking each return address in software takes more time than the rest; this one has none.
            ("neoverse-n1", "neoverse-n1")
        }
    };
    match accelerator {
        Accelerator::Kvm => command.args(["-accel", "kvm", "-cpu", "host"]),
        // One instruction is one nanosecond, on one processor: time counts instructions.
        Accelerator::Emulation if guest.icount => {
            command.args(["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-cpu", counted])
        }
        // Without ERMS the kernel copies and clears memory by eight bytes at a time (`rep movsq`): emulated, each round
        // costs the same. Starts of injector take a third less.
        //
        // One thread of the host for all processors: QEMU before 8.1 can keep a translation of kernel text
        // that another processor has just changed. The kernel changes its text by way of a breakpoint
        // (arch/x86/kernel/alternative.c, `text_poke_bp_batch`) whenever a program is attached, and a
        // processor that meets one whose time is up dies of it or is stuck there for ever.
        Accelerator::Emulation => command.args(["-accel", "tcg,thread=single", "-cpu", plain]),
        Accelerator::Threads => command.args(["-accel", "tcg,thread=multi", "-cpu", plain]),
    };
    let cpus = if guest.icount { 1 } else { guest.cpus };
    command.args(["-smp", &cpus.to_string(), "-m", &format!("{}M", guest.memory)]);
    command.arg("-kernel").arg(&guest.kernel.image).arg("-initrd").arg(folder.join("initramfs"));
    command.args(["-append", &kernel_parameters(guest)]);
    command.arg("-serial").arg(prefixed("file:", &folder.join("console.log")));
    files(&mut command, "host", &files_of.root, "security_model=none,readonly=on,multidevs=remap");
    for (tag, path) in &files_of.places {
        files(&mut command, tag, path, "security_model=none,readonly=on,multidevs=remap");
    }
    files(&mut command, "share", &folder.join("share"), "security_model=none");
    command.args(["-device", "virtio-serial-pci"]);
    let (stdout, theirs_out) = port(&mut command, 1)?;
    let (stderr, theirs_err) = port(&mut command, 2)?;
    let (reports, theirs_reports) = port(&mut command, 3)?;
    child::without_cargo(&mut command);
    let messages = File::create(folder.join("qemu.log")).context("cannot write QEMU's messages")?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(messages);
    let started = command.spawn();
    let qemu = started.with_context(|| format!("cannot start {emulator} (Debian package {package})"))?;
    // QEMU has its own copies; with ours closed, its end is the streams' end.
    drop((theirs_out, theirs_err, theirs_reports));
    Ok(Machine { qemu, stdout, stderr, reports })
}

/// A folder of the host that the guest can mount by its tag.
fn files(command: &mut Command, tag: &str, path: &Path, options: &str) {
    command.arg("-fsdev").arg(prefixed(&format!("local,id={tag},{options},path="), path));
    command.args(["-device", &format!("virtio-9p-pci,fsdev={tag},mount_tag={tag}")]);
}

/// A port of the guest's console on one end of a socket pair. QEMU inherits the other end, which the
/// caller must close after the start.
fn port(command: &mut Command, number: u32) -> Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = UnixStream::pair().context("cannot make a pair of sockets")?;
    let theirs = OwnedFd::from(theirs);
    fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty()))
        .map_err(io::Error::from)
        .context("cannot pass a socket")?;
    command.args(["-chardev", &format!("socket,id=port{number},fd={}", theirs.as_raw_fd())]);
    command.args(["-device", &format!("virtserialport,chardev=port{number},nr={number}")]);
    Ok((ours, theirs))
}

/// `panic=-1` with `-no-reboot` ends QEMU at once. Mitigations only make emulation slow, and a
/// kernel whose addresses are always the same has traces that can be compared.
fn kernel_parameters(guest: &Guest) -> String {
    let console = match guest.kernel.name.architecture() {
        Architecture::X86_64 => "console=ttyS0",
        Architecture::Arm64 => "console=ttyAMA0",
    };
    let mut words = vec![
        console,
        "rdinit=/init",
        "panic=-1",
        "oops=panic",
        "mitigations=off",
        "nokaslr",
        // Programs at the same addresses each time: QEMU finds what it has translated of them sooner.
        "norandmaps",
        "random.trust_cpu=on",
        "cgroup_no_v1=all",
        // A timer whose ticks a busy host delivers late is not broken (arch/x86/kernel/apic/io_apic.c, `check_timer`),
        // nor is an emulated processor stuck that waits for the host.
        "no_timer_check",
        "rcupdate.rcu_cpu_stall_timeout=60",
    ];
    if guest.icount {
        // While the processor idles, waiting for the host's files, time jumps to the next timer.
        words.extend([
            "nowatchdog",
            "rcupdate.rcu_cpu_stall_suppress=1",
            "sysctl.kernel.hung_task_timeout_secs=0",
        ]);
    }
    words.extend(guest.append.iter().map(String::as_str));
    words.join(" ")
}

/// QEMU doubles commas in the values of its options.
fn prefixed(prefix: &str, path: &Path) -> String {
    format!("{prefix}{}", path.display().to_string().replace(',', ",,"))
}
