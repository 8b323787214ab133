//! `cargo xtask bench throughput`: TCP over a wire that is late or loses packets, by netem and by the injector, in a
//! guest whose clock counts instructions: a machine that does 10^9 of them a second, the same on every host.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use nix::sched::{CloneFlags, setns};

use super::guest::counted;
use super::stage::Injector;
use crate::build;
use crate::kernel::Name;

/// Where the sender is, and who sends there.
const CGROUP: &str = "/sys/fs/cgroup/sender";
const ADDRESS: &str = "10.20.0.2:5201";
/// Packets that may wait, by either.
const LIMIT: &str = "limit 200000";

/// TCP throughput over a wire with a delay, and with losses, beside netem
///
/// With losses there are three: netem; netem where TCP hands down each packet by itself (gso_max_segs 1), which is what
/// a wire does; and the injector. Prints megabits per second of guest time, a column a run.
#[derive(Args)]
pub(super) struct Throughput {
    /// Only this kernel; may be given more than once
    #[arg(long, value_enum, default_values = ["debian-6.12"])]
    kernel: Vec<Name>,
    /// How long each transfer lasts, in seconds of the guest
    #[arg(long, value_name = "N", default_value_t = 4)]
    seconds: u64,
    /// Transfers of each row
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: usize,
    /// The receiver's buffer at most (`net.ipv4.tcp_rmem`), in bytes: with little of it the window decides how fast a
    /// transfer is, not the processor
    #[arg(long, value_name = "BYTES", default_value_t = 6 << 20)]
    buffer: u32,
    /// Only the rows whose rule has this in it, such as `loss`
    #[arg(long, value_name = "WORDS", default_value = "")]
    only: String,
    /// Only by these
    #[arg(long, value_enum, value_name = "WHO", value_delimiter = ',', default_values = ["netem", "truth", "injector"])]
    by: Vec<By>,
    /// Measure with the injector that is there, without building it
    #[arg(long)]
    no_build: bool,
}

impl Throughput {
    pub(super) fn run(self) -> Result<()> {
        if !self.no_build {
            build::all(true)?;
        }
        for kernel in self.kernel {
            let numbers =
                [self.seconds, self.runs as u64, self.buffer.into()].map(|number| number.to_string());
            let by = self.by.iter().filter_map(|by| Some(by.to_possible_value()?.get_name().to_owned()));
            let before = ["wire".to_owned()].into_iter().chain(numbers).chain([self.only.clone()]);
            let words: Vec<_> = before.chain(by).collect();
            println!("\n## {kernel}\n\n{}", counted(kernel, false, &words)?);
        }
        Ok(())
    }
}

/// Called by `cargo xtask bench throughput` in a guest
#[derive(Args)]
pub(super) struct Wire {
    seconds: u64,
    runs: usize,
    buffer: u32,
    only: String,
    #[arg(value_enum)]
    by: Vec<By>,
}

/// Called by the former: sends for so many seconds
#[derive(Args)]
pub(super) struct Send {
    seconds: u64,
}

/// Who makes the wire what it is.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum By {
    Netem,
    /// netem with `gso_max_segs 1`
    Truth,
    #[value(name = "injector")]
    Us,
}

impl Wire {
    pub(super) fn run(self) -> Result<()> {
        for line in [
            "ip netns add far",
            "ip link add near type veth peer name far netns far",
            "ip addr add 10.20.0.1/24 dev near",
            "ip link set near up",
            "ip -n far addr add 10.20.0.2/24 dev far",
            "ip -n far link set far up",
            "ip link set lo up",
            // What one transfer learns is not to help the next.
            "sysctl -qw net.ipv4.tcp_no_metrics_save=1",
        ] {
            sh(line)?;
        }
        // What a buffer is at least, at first, and at most.
        let buffer = format!("4096 131072 {}", self.buffer);
        in_namespace("far", || fs::write("/proc/sys/net/ipv4/tcp_rmem", buffer))?;
        fs::create_dir(CGROUP)?;
        // Somebody has to live in the cgroup when the injector comes.
        let mut member = inside(Command::new("sleep").arg("100000")).spawn()?;
        let listener = in_namespace("far", || TcpListener::bind(ADDRESS))?;
        println!("| Mbit/s | | |\n|---|---|---|");
        for delay in ["delay 10ms", "delay 50ms", "delay 100ms"] {
            self.row(&listener, delay, &[By::Netem, By::Us])?;
        }
        for loss in ["delay 10ms loss 0.1%", "delay 10ms loss 1%"] {
            self.row(&listener, loss, &[By::Netem, By::Truth, By::Us])?;
        }
        member.kill()?;
        member.wait()?;
        Ok(())
    }

    fn row(&self, listener: &TcpListener, words: &str, all: &[By]) -> Result<()> {
        if !words.contains(&self.only) {
            return Ok(());
        }
        for by in all.iter().filter(|by| self.by.contains(by)) {
            let rates = (0..self.runs).map(|_| by.measure(listener, words, self.seconds));
            let rates = rates.collect::<Result<Vec<_>>>()?;
            let rates: Vec<_> = rates.iter().map(|rate| format!("{rate:.0}")).collect();
            println!("| `{words}` | {} | {} |", by.name(), rates.join(" "));
        }
        Ok(())
    }
}

impl By {
    fn name(self) -> &'static str {
        match self {
            Self::Netem => "netem",
            Self::Truth => "netem, gso_max_segs 1",
            Self::Us => "injector",
        }
    }

    fn measure(self, listener: &TcpListener, words: &str, seconds: u64) -> Result<f64> {
        let words = format!("{words} {LIMIT}");
        if matches!(self, Self::Us) {
            let injector = Injector::attach(&["--cgroup", CGROUP, "--net", &words])?;
            let rate = transfer(listener, seconds)?;
            injector.end()?;
            return Ok(rate);
        }
        if matches!(self, Self::Truth) {
            sh("ip link set near gso_max_segs 1")?;
        }
        sh(&format!("tc qdisc add dev near root netem {words}"))?;
        let rate = transfer(listener, seconds);
        sh("tc qdisc del dev near root")?;
        sh("ip link set near gso_max_segs 65535")?;
        rate
    }
}

/// Megabits per second that arrive of what the sender sends in so many seconds.
#[expect(clippy::cast_precision_loss, reason = "a figure")]
fn transfer(listener: &TcpListener, seconds: u64) -> Result<f64> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    let mut sender = inside(command.args(["bench", "send", &seconds.to_string()])).spawn()?;
    let (mut stream, _) = listener.accept()?;
    let start = Instant::now();
    let bytes = io::copy(&mut stream, &mut io::sink())?;
    let took = start.elapsed();
    sender.wait()?;
    Ok(bytes as f64 * 8e-6 / took.as_secs_f64())
}

impl Send {
    pub(super) fn run(self) -> Result<()> {
        let mut stream = TcpStream::connect(ADDRESS)?;
        let end = Instant::now() + Duration::from_secs(self.seconds);
        let bytes = vec![0; 128 << 10];
        while Instant::now() < end {
            stream.write_all(&bytes)?;
        }
        Ok(())
    }
}

/// The same command, in the cgroup.
fn inside(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("echo $$ > {CGROUP}/cgroup.procs; exec \"$0\" \"$@\"")]);
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

fn in_namespace<T: core::marker::Send + 'static>(
    name: &str,
    work: impl FnOnce() -> io::Result<T> + core::marker::Send + 'static,
) -> Result<T> {
    let file = File::open(format!("/run/netns/{name}"))?;
    let thread = thread::spawn(move || {
        setns(&file, CloneFlags::CLONE_NEWNET)?;
        work()
    });
    thread.join().ok().context("a thread panicked")?.context("cannot work in a network namespace")
}

fn sh(line: &str) -> Result<()> {
    let mut words = line.split(' ');
    let status = Command::new(words.next().unwrap_or_default()).args(words).status()?;
    if !status.success() {
        bail!("`{line}`: {status}");
    }
    Ok(())
}
