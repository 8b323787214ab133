//! Starting the binary under test, and reading what it says: exit code, streams, log.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::Read,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{SigHandler, Signal, kill, signal},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{guest, patience};

/// Any run of the injector that a test does not end itself is over by then.
const LIMIT: Duration = Duration::from_mins(4);

/// An invocation of the injector.
#[derive(Debug)]
pub struct Injector {
    options: Command,
    /// Behind `--`.
    words: Vec<String>,
    /// Where the log goes.
    folder: TempDir,
}

/// One that was started.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Stream,
    stderr: Stream,
    folder: TempDir,
}

/// What came of it.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; 128+n if signal n killed the injector itself.
    pub code: i32,
    /// All of it.
    pub stdout: String,
    /// All of it.
    pub stderr: String,
    /// The lines of `--log`.
    pub log: Vec<Value>,
}

impl Injector {
    /// `injector` with these words.
    pub fn new<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Result<Self> {
        let mut options = Command::new(guest::injector()?);
        options.args(words).stdin(Stdio::null());
        let folder = tempfile::Builder::new().prefix("injector-log-").tempdir_in("/tmp")?;
        Ok(Self { options, words: Vec::new(), folder })
    }

    /// `injector run` with a rule on system calls.
    pub fn run(rule: &str) -> Result<Self> {
        Self::new(["run", "-e", &format!("inject={rule}")])
    }

    /// `injector attach` to a cgroup, with a rule on system calls.
    pub fn attach(cgroup: &Path, rule: &str) -> Result<Self> {
        let injector = Self::new(["attach", "--cgroup"])?.word(cgroup);
        Ok(injector.words(["-e", &format!("inject={rule}")]))
    }

    /// One more word.
    #[must_use]
    pub fn word(mut self, word: impl AsRef<OsStr>) -> Self {
        self.options.arg(word);
        self
    }

    /// More words, before the command.
    #[must_use]
    pub fn words<W: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.options.args(words);
        self
    }

    /// With the report as JSON, which [`Finished::report`] reads.
    #[must_use]
    pub fn json(self) -> Self {
        self.word("--json")
    }

    /// With a log, which [`Finished::log`] gives.
    #[must_use]
    pub fn logged(mut self) -> Self {
        self.options.arg("--log").arg(log_in(&self.folder));
        self
    }

    /// The command behind `--`.
    #[must_use]
    pub fn command(mut self, words: &[&str]) -> Self {
        self.words = words.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// With a variable in its environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.options.env(name, value);
        self
    }

    /// Descriptor 0, and the folder to be in.
    #[must_use]
    pub fn in_folder(mut self, stdin: Stdio, folder: &Path) -> Self {
        self.options.stdin(stdin).current_dir(folder);
        self
    }

    /// Starts it.
    pub fn start(mut self) -> Result<Running> {
        if !self.words.is_empty() {
            self.options.arg("--").args(&self.words);
        }
        self.options.stdout(Stdio::piped()).stderr(Stdio::piped());
        as_from_a_terminal(&mut self.options);
        let mut child = self.options.spawn().context("cannot start the injector")?;
        let stdout = Stream::read(child.stdout.take().context("no stdout")?);
        let stderr = Stream::read(child.stderr.take().context("no stderr")?);
        Ok(Running { child, stdout, stderr, folder: self.folder })
    }

    /// Starts it and waits for its end.
    pub fn finish(self) -> Result<Finished> {
        self.start()?.finish()
    }

    /// The same, and it has to give this exit code.
    pub fn expect(self, code: i32) -> Result<Finished> {
        let finished = self.finish()?;
        finished.expect(code)
    }
}

impl Running {
    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The process of one of its helpers, by its name: `injector-warden`.
    pub fn helper(&self, name: &str) -> Result<u32> {
        for entry in fs::read_dir("/proc")? {
            let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if stat.contains(&format!("({name}) ")) && stat.contains(&format!(" {} ", self.pid())) {
                return Ok(pid);
            }
        }
        bail!("there is no {name}")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.child.id())?), signal)?)
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// What it has written to stdout so far.
    pub fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    /// Waits until its rules act. It says so in a line that names the plan, whose id this gives.
    pub fn begun(&mut self) -> Result<String> {
        let mut id = None;
        let begun = patience::until("the beginning of a plan", patience::LONG, || {
            let said = self.stderr();
            id = said
                .lines()
                .find_map(|line| line.strip_prefix("injector: plan ")?.split(' ').next().map(str::to_owned));
            if id.is_none() && self.has_ended()? {
                bail!("the injector has ended");
            }
            Ok(id.is_some())
        });
        begun.with_context(|| self.stderr())?;
        id.context("no plan")
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Result<Finished> {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if start.elapsed() > LIMIT {
                bail!("the injector does not end; so far it said: {}", self.stderr());
            }
            thread::sleep(Duration::from_millis(5));
        };
        let log = fs::read_to_string(log_in(&self.folder)).unwrap_or_default();
        let log = log
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .context("the log is not JSON lines")?;
        // A command that outlives its injector has the streams open, too: what is there is all.
        Ok(Finished { code: code(status), stdout: self.stdout.end(), stderr: self.stderr.end(), log })
    }

    /// SIGINT, and waits for the end.
    pub fn interrupt(self) -> Result<Finished> {
        self.signal(Signal::SIGINT)?;
        self.finish()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Finished {
    /// It has to have given this exit code.
    pub fn expect(self, code: i32) -> Result<Self> {
        if self.code != code {
            bail!(
                "exit code {} instead of {code}; stderr:\n{}stdout:\n{}",
                self.code,
                self.stderr,
                self.stdout
            );
        }
        Ok(self)
    }

    /// The report of `--json`.
    pub fn report(&self) -> Result<Report> {
        let text = if self.stdout.contains("\"rules\"") { &self.stdout } else { &self.stderr };
        let start = text.find("{\n").with_context(|| format!("no report in: {text}"))?;
        let value = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>().next();
        let value = value.context("an empty report")?.with_context(|| format!("not JSON: {text}"))?;
        Report::read(&value).with_context(|| format!("not a report: {value:#}"))
    }
}

/// What the closing report counts.
#[derive(Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Of each rule.
    pub rules: Vec<Counts>,
    /// Runs of a program that the kernel skipped.
    pub skipped: u64,
    /// Injections that are not in the log.
    pub lost_events: u64,
    /// Delays that did not happen.
    pub missed: u64,
}

/// The counters of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Its text.
    pub text: String,
    /// Was it taken away by a change?
    pub removed: bool,
    /// Calls or packets that the rule means.
    pub matched: u64,
    /// Faults.
    pub fired: u64,
    /// The others, by reason.
    pub suppressed: BTreeMap<String, u64>,
    /// Of a rule on packets: what was counted besides.
    pub packets: BTreeMap<String, u64>,
}

impl Counts {
    /// The matches that were suppressed for this reason.
    pub fn suppressed_by(&self, reason: &str) -> u64 {
        self.suppressed.get(reason).copied().unwrap_or(0)
    }
}

impl Report {
    fn read(value: &Value) -> Option<Self> {
        let mut rules = Vec::new();
        for rule in value["rules"].as_array()? {
            let suppressed = rule["suppressed"].as_object()?.iter();
            let suppressed = suppressed.map(|(reason, count)| Some((reason.clone(), count.as_u64()?)));
            let packets = rule["packets"].as_object().into_iter().flatten();
            let packets = packets.map(|(name, count)| Some((name.clone(), count.as_u64()?)));
            let (matched, fired) = (rule["matched"].as_u64()?, rule["fired"].as_u64()?);
            let (text, removed) = (rule["text"].as_str()?.to_owned(), rule["removed"].as_bool()?);
            rules.push(Counts {
                text,
                removed,
                matched,
                fired,
                suppressed: suppressed.collect::<Option<_>>()?,
                packets: packets.collect::<Option<_>>()?,
            });
        }
        let skipped = value["skipped"].as_object()?.values().filter_map(Value::as_u64).sum();
        let (seed, lost_events) = (value["seed"].as_u64()?, value["lost_events"].as_u64()?);
        let missed = value["delays"]["missed"].as_u64()?;
        Some(Self { seed, rules, skipped, lost_events, missed })
    }
}

/// Has `command` start with signals as from a terminal. What a script starts in the background ignores
/// SIGINT and SIGQUIT, and so do the tests.
pub fn as_from_a_terminal(command: &mut Command) {
    let reset = || {
        for number in [Signal::SIGINT, Signal::SIGQUIT] {
            // SAFETY: it sets no handler.
            unsafe { signal(number, SigHandler::SigDfl) }?;
        }
        Ok(())
    };
    // SAFETY: two system calls between fork and exec, and no allocation.
    unsafe { command.pre_exec(reset) };
}

fn log_in(folder: &TempDir) -> PathBuf {
    folder.path().join("log")
}

fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

/// A stream that a thread reads as it comes.
#[derive(Debug)]
struct Stream {
    text: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Stream {
    fn read(mut from: impl Read + Send + 'static) -> Self {
        let text: Arc<Mutex<Vec<u8>>> = Arc::default();
        let to = Arc::clone(&text);
        let thread = thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut chunk) {
                to.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..length]);
            }
        });
        Self { text, thread }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// All of it; what a process that lives on may still write does not count.
    fn end(&self) -> String {
        let _ = patience::until("the end of a stream", Duration::from_millis(500), || {
            Ok(self.thread.is_finished())
        });
        self.so_far()
    }
}
