//! One command in one virtual machine: what to boot, with what, and what came of it. Every run has a
//! folder of its own under `target/vm` with the console, the command's output and QEMU's messages.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use super::accelerator::{self, Accelerator, Choice};
use super::files::Files;
use super::initramfs::{self, Scripts};
use super::session;
use super::stream::Streams;
use crate::child::quoted;
use crate::kernel::Kernel;
use crate::{checkout, setup};

/// How long KVM may take to the first sign of life when it has never been seen working here.
const KVM_PROOF: Duration = Duration::from_secs(15);
/// Folders of finished runs that are kept.
const KEPT: usize = 40;

/// A virtual machine to run a command in. It sees the host's files ([`Files`]); what it writes is gone with it,
/// but for what it writes to `/mnt/injector`, which is the folder [`Outcome::share`].
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    pub(crate) kernel: Kernel,
    /// Names the run's folder.
    pub(crate) name: String,
    pub(crate) cpus: u32,
    /// In MiB.
    pub(crate) memory: u32,
    /// Count instructions instead of time: one processor, emulated, repeatable to the digit.
    pub(crate) icount: bool,
    /// More kernel parameters.
    pub(crate) append: Vec<String>,
    /// The command's environment, besides PATH, HOME, USER, LANG and TERM.
    pub(crate) env: Vec<(String, String)>,
    /// The command's folder.
    pub(crate) directory: PathBuf,
    /// The hard limit for the whole run.
    pub(crate) limit: Duration,
    pub(crate) streams: Streams,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) ending: Ending,
    /// What the kernel reported of itself; not empty means failed, however the command ended.
    pub(crate) trouble: Vec<String>,
    /// The emulator broke down: what came of the run says nothing about the kernel or the command.
    pub(crate) emulator_fault: bool,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// From the start to the command's; none if it came not so far.
    pub(crate) boot: Option<Duration>,
    pub(crate) took: Duration,
    /// The run's folder: console.log, stdout, stderr, qemu.log, share/.
    pub(crate) folder: PathBuf,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The command's own code; 128 + n if signal n ended it.
    Exited(i32),
    TimedOut,
    Panicked,
    /// The machine went away, or never came to the command.
    Lost(String),
}

impl Outcome {
    /// The command said 0 and the kernel had nothing to complain of.
    pub(crate) fn good(&self) -> bool {
        self.ending == Ending::Exited(0) && self.trouble.is_empty()
    }

    /// What the guest wrote to `/mnt/injector`.
    pub(crate) fn share(&self) -> PathBuf {
        self.folder.join("share")
    }
}

impl Guest {
    /// A guest with two processors, 2 GiB and five minutes, in the current folder.
    pub(crate) fn new(kernel: Kernel) -> Self {
        Self {
            name: kernel.name.to_string(),
            kernel,
            cpus: 2,
            memory: 2048,
            icount: false,
            append: Vec::new(),
            env: Vec::new(),
            directory: std::env::current_dir().unwrap_or_else(|_| checkout::root()),
            limit: Duration::from_mins(5),
            streams: Streams::Inherit,
        }
    }

    /// Boots, runs `command` as root, and ends the machine. An error means that there was no run.
    pub(crate) fn run(&self, command: &[String]) -> Result<Outcome> {
        let architecture = self.kernel.name.architecture();
        setup::ready(&[setup::Group::of_vm(architecture)])?;
        let files = Files::of(architecture, &[checkout::root(), checkout::target(), self.directory.clone()])?;
        let folder = new_folder(&self.name)?;
        let mark = format!("\u{1}end of {}\u{1}", folder.display());
        let scripts = Scripts { settings: self.settings(&files, &mark), command: self.script(command) };
        initramfs::write(&folder.join("initramfs"), &self.kernel, &files.busybox, &scripts)?;
        let choice = match accelerator::choice()? {
            _ if self.icount => Choice::Known(Accelerator::Emulation),
            Choice::TryKvm | Choice::Known(Accelerator::Kvm) if !architecture.is_host() => {
                Choice::Known(Accelerator::Emulation)
            }
            choice => choice,
        };
        let (accelerator, proof) = match choice {
            Choice::Known(accelerator) => (accelerator, None),
            Choice::TryKvm => (Accelerator::Kvm, Some(KVM_PROOF)),
        };
        let mut outcome = session::run((self, &files), accelerator, proof, &folder, &mark)?;
        if proof.is_some() {
            let works = outcome.is_some();
            accelerator::remember(if works { Accelerator::Kvm } else { Accelerator::Emulation })?;
            if !works {
                eprintln!("vm: KVM is here but boots no kernel; from now on software emulation");
                outcome = session::run((self, &files), Accelerator::Emulation, None, &folder, &mark)?;
            }
        }
        // The archive is the only large file of a run.
        let _ = fs::remove_file(folder.join("initramfs"));
        outcome.context("the virtual machine did not start")
    }

    /// Variables for guest.sh.
    fn settings(&self, files: &Files, mark: &str) -> String {
        let modules =
            self.kernel.modules.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
        format!("{}modules={}\nmark={}\n", files.settings(), quoted(&modules), quoted(mark))
    }

    /// A script that becomes the command.
    fn script(&self, command: &[String]) -> String {
        let basic = [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
            "USER=root",
            "LANG=C.UTF-8",
            "TERM=dumb",
        ];
        let mut words: Vec<String> = basic.iter().map(|word| quoted(word)).collect();
        words.extend(self.env.iter().map(|(name, value)| quoted(&format!("{name}={value}"))));
        words.extend(command.iter().map(|word| quoted(word)));
        let folder = quoted(&self.directory.display().to_string());
        format!("cd {folder} || exit 125\nexec /usr/bin/env -i {}\n", words.join(" "))
    }
}

/// Makes the run's folder and removes the oldest ones.
fn new_folder(name: &str) -> Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let all = checkout::target().join("vm");
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = all.join(format!("{name}.{}.{number}", std::process::id()));
    fs::create_dir_all(folder.join("share")).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut old: Vec<_> = fs::read_dir(&all)
        .with_context(|| format!("cannot read {}", all.display()))?
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    old.sort();
    for (_, path) in old.iter().rev().skip(KEPT) {
        let _ = fs::remove_dir_all(path);
    }
    Ok(folder)
}
