//! The guest's side: makes the cgroups, sets each row's stage, has the measuring program count, and
//! prints the kernel's release, and the figures, one a line: group, row, call, instructions.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use clap::Args;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::meter::Meter;
use super::scenario::{Attached, Group, Machine, Measured, Row, Targets, groups};
use crate::checkout;
use crate::kernel::Name;

/// Where all cgroups of the bench are.
const TOP: &str = "/sys/fs/cgroup/bench";

/// Called by `cargo xtask bench unaffected` in a guest
#[derive(Args)]
pub(super) struct Stage {
    #[arg(value_enum)]
    kernel: Name,
    #[arg(long)]
    preemptible: bool,
    /// Only groups whose title contains this
    #[arg(default_value = "")]
    only: String,
}

impl Stage {
    fn machine(&self) -> Machine {
        Machine { kernel: self.kernel, preemptible: self.preemptible }
    }

    pub(super) fn run(self) -> Result<()> {
        println!("{}", fs::read_to_string("/proc/sys/kernel/osrelease")?.trim());
        build_cgroups().context("cannot make cgroups")?;
        for (group, number) in groups(self.machine(), &self.only).iter().zip(0..) {
            for (row, place) in group.rows.iter().zip(0..) {
                let figures =
                    measure(group, row).with_context(|| format!("{}: {}", group.title, row.label))?;
                for (call, instructions) in figures {
                    println!("{number}\t{place}\t{call}\t{instructions}");
                }
            }
        }
        Ok(())
    }
}

fn build_cgroups() -> std::io::Result<()> {
    for measured in [Measured::Outside, Measured::DeepOutside] {
        fs::create_dir_all(home(measured, Targets::Cgroup))?;
    }
    for targets in [Targets::Cgroup, Targets::Cgroups] {
        cgroups(targets).iter().try_for_each(fs::create_dir_all)?;
    }
    cgroups(Targets::Nested).iter().try_for_each(|top| fs::create_dir_all(format!("{top}{TEN_DEEP}")))
}

/// Below a cgroup: nine more, one in another.
const TEN_DEEP: &str = "/2/3/4/5/6/7/8/9/10";

/// The cgroups that are named as targets.
fn cgroups(targets: Targets) -> Vec<String> {
    match targets {
        Targets::Cgroup | Targets::Container | Targets::Both => vec![format!("{TOP}/one")],
        Targets::Cgroups => (0..1000).map(|n| format!("{TOP}/many/{n}")).collect(),
        Targets::Nested => (0..100).map(|n| format!("{TOP}/nested/{n}")).collect(),
        Targets::Process => Vec::new(),
    }
}

/// Where the measured process lives.
fn home(measured: Measured, targets: Targets) -> String {
    match (measured, targets) {
        (Measured::Outside | Measured::Mistaken, _) | (Measured::Inside, Targets::Process) => {
            format!("{TOP}/outside")
        }
        (Measured::DeepOutside, _) => format!("{TOP}/outside{TEN_DEEP}"),
        (Measured::Inside, Targets::Nested) => format!("{TOP}/nested/0{TEN_DEEP}"),
        (Measured::Inside, Targets::Cgroups) => format!("{TOP}/many/0"),
        (Measured::Inside, Targets::Cgroup | Targets::Container | Targets::Both) => format!("{TOP}/one"),
    }
}

fn measure(group: &Group, row: &Row) -> Result<Vec<(String, i64)>> {
    let outside = home(row.measured, Targets::Cgroup);
    match row.attached {
        Attached::Nothing => Meter::start(&outside, &[], group.calls)?.measure(),
        Attached::Empty => {
            // Another process holds the programs: who has more open files takes longer to fork.
            let holder = Meter::start(&outside, group.empty, &[])?;
            let figures = Meter::start(&outside, &[], group.calls)?.measure()?;
            holder.dismiss()?;
            Ok(figures)
        }
        Attached::Injector { rule, times, targets } => {
            // A member of the target that does nothing: the target lives, and its network namespace is known.
            let inside = home(Measured::Inside, targets);
            let member = match targets {
                Targets::Container => Meter::contained(&inside)?,
                _ => Meter::start(&inside, &[], &[])?,
            };
            if row.measured == Measured::Mistaken {
                number_next_process(member.pid() + FILTER)?;
            }
            let meter = Meter::start(&home(row.measured, targets), &[], group.calls)?;
            let root = if row.measured == Measured::Inside { &meter } else { &member };
            let injector = Injector::attach(&options(rule, times, targets, root.pid()))?;
            let figures = meter.measure()?;
            injector.end()?;
            member.dismiss()?;
            Ok(figures)
        }
    }
}

/// Numbers of processes that are that far apart have the same entry of the injector's filter.
const FILTER: u32 = 1 << 16;

/// The next process that is made gets this number.
fn number_next_process(number: u32) -> Result<()> {
    let set = |name: &str, value: u32| {
        fs::write(format!("/proc/sys/kernel/{name}"), value.to_string())
            .with_context(|| format!("cannot set kernel.{name}"))
    };
    set("pid_max", 1 << 22)?;
    set("ns_last_pid", number - 1)
}

/// Who is the target, and what it is to meet.
fn options(rule: [&str; 2], times: usize, targets: Targets, root: u32) -> Vec<String> {
    let mut options = Vec::new();
    for cgroup in cgroups(targets) {
        options.extend(["--cgroup".to_owned(), cgroup]);
    }
    if matches!(targets, Targets::Process | Targets::Both) {
        options.extend(["--pid".to_owned(), root.to_string()]);
    }
    for _ in 0..times {
        options.extend(rule.map(str::to_owned));
    }
    options
}

/// A running injector.
pub(super) struct Injector {
    process: Child,
    stderr: thread::JoinHandle<String>,
}

impl Injector {
    /// Attaches the injector; returns when its rules act.
    pub(super) fn attach<S: AsRef<OsStr>>(options: &[S]) -> Result<Self> {
        let mut command = Command::new(checkout::injector());
        command.args(["attach", "--for", "forever"]).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().context("cannot start the injector")?;
        let mut stderr = BufReader::new(process.stderr.take().context("no stderr")?);
        let mut said = String::new();
        while !said.lines().last().is_some_and(|line| line.starts_with("injector: plan ")) {
            if stderr.read_line(&mut said)? == 0 {
                bail!("the injector ended: {said}");
            }
        }
        let stderr = thread::spawn(move || {
            // What it says at its end; lost if it is not text.
            let _ = stderr.read_to_string(&mut said);
            said
        });
        Ok(Self { process, stderr })
    }

    /// Ends it.
    pub(super) fn end(mut self) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.process.id())?), Signal::SIGTERM)?;
        let status = self.process.wait()?;
        let said = self.stderr.join().unwrap_or_default();
        if !status.success() {
            bail!("the injector failed: {status}: {said}");
        }
        Ok(())
    }
}
