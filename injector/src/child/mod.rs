//! A plan in a child process. A plan that delays calls forks helpers of its own, which a program with several threads
//! must not do, and two such plans would share them; so each has a process, with one thread, which is this program's own
//! executable once more.
//!
//! ```no_run
//! use std::{error::Error, thread, time::Duration};
//!
//! use injector::{child::ChildPlan, plan::Options, target::Target};
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     // First of all: in the child this does not return.
//!     injector::child::serve();
//!     let slow_disk = ["inject=fsync:delay_enter=200ms".parse()?];
//!     let mut plan = ChildPlan::start(&slow_disk, &[Target::pid(4711)?], &Options::default())?;
//!     thread::sleep(Duration::from_secs(60));
//!     plan.update(&["inject=fsync:delay_enter=400ms".parse()?])?;
//!     thread::sleep(Duration::from_secs(60));
//!     println!("{} calls were late", plan.finish()?.rules[0].fired);
//!     Ok(())
//! }
//! ```

mod error;
mod log;
mod message;
mod server;

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::Shutdown,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

pub use self::{error::ChildError, server::serve};
use self::{
    message::{Ask, Begin, Reply, Whom},
    server::MARK,
};
use crate::{
    engine::{End, Report, RuleReport},
    plan::{Change, Options},
    spec::model::Rule,
    target::Target,
};

/// A live plan in a process of its own: it acts as long as this value lives, and dropping it ends the process and takes
/// everything back. It ends with this program, too, however that ends.
///
/// The program has to call [`serve`] first in its `main`. Faults are counted; one by one they are told only to a file. The
/// process keeps no capabilities but those that its plan needs.
#[derive(Debug)]
pub struct ChildPlan {
    child: Child,
    /// Written to, and read by lines.
    stream: BufReader<UnixStream>,
    id: String,
    notes: Vec<String>,
    end: Option<End>,
}

impl ChildPlan {
    /// Starts the process, makes the plan there and applies it. Blocks until the rules act.
    ///
    /// # Errors
    /// [`ChildError::Refused`] with what [`Injector::plan`](crate::engine::Injector::plan) and `apply` refuse; the process
    /// could not be started, or did not call [`serve`].
    pub fn start(rules: &[Rule], targets: &[Target], options: &Options) -> Result<Self, ChildError> {
        Self::begin(rules, targets, options, None)
    }

    /// The same, with each fault written to the end of the file `log`, a line of JSON each, as `--log` does.
    ///
    /// # Errors
    /// As [`ChildPlan::start`]; the file cannot be written to.
    pub fn start_with_log(
        rules: &[Rule],
        targets: &[Target],
        options: &Options,
        log: &Path,
    ) -> Result<Self, ChildError> {
        Self::begin(rules, targets, &options.clone().records(), Some(log.to_owned()))
    }

    fn begin(
        rules: &[Rule],
        targets: &[Target],
        options: &Options,
        log: Option<PathBuf>,
    ) -> Result<Self, ChildError> {
        let (stream, theirs) = UnixStream::pair().map_err(ChildError::Start)?;
        // By the name of the file a program that was replaced meanwhile would be met.
        let child = Command::new("/proc/self/exe")
            .arg0("injector-plan")
            .env(MARK, "1")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            // A Ctrl-C is the program's, which then ends the plan.
            .process_group(0)
            .spawn()
            .map_err(ChildError::Start)?;
        let stream = BufReader::new(stream);
        let mut this = Self { child, stream, id: String::new(), notes: Vec::new(), end: None };
        let begin = Begin {
            rules: rules.to_vec(),
            targets: targets.iter().map(Whom::from).collect(),
            options: options.clone(),
            log,
        };
        this.send(&begin)?;
        match this.reply()? {
            Reply::Begun { id, notes } => (this.id, this.notes) = (id, notes),
            other => return Err(other.into()),
        }
        Ok(this)
    }

    /// The plan, as `injector ps` lists it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the user ought to know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Replaces the rules, as [`Guard::update`](crate::engine::Guard::update) does.
    ///
    /// # Errors
    /// What cannot be had; the old rules go on then. The process has ended.
    pub fn update(&mut self, rules: &[Rule]) -> Result<Change, ChildError> {
        match self.ask(&Ask::Update(rules.to_vec()))? {
            Reply::Changed(change) => Ok(change),
            other => Err(other.into()),
        }
    }

    /// Switches a rule off (`paused`) or on again: what is decided after the moment that comes back, in nanoseconds of
    /// `CLOCK_BOOTTIME`, is decided by that. `None` if the plan has no rule of that number.
    ///
    /// # Errors
    /// The process has ended.
    pub fn pause(&mut self, rule: u32, paused: bool) -> Result<Option<u64>, ChildError> {
        match self.ask(&Ask::Pause { rule, paused })? {
            Reply::Paused(moment) => Ok(moment),
            other => Err(other.into()),
        }
    }

    /// All rules with their counters as they are now.
    ///
    /// # Errors
    /// The counters cannot be read; the process has ended.
    pub fn rules(&mut self) -> Result<Vec<RuleReport>, ChildError> {
        match self.ask(&Ask::Rules)? {
            Reply::Rules(rules) => Ok(rules),
            other => Err(other.into()),
        }
    }

    /// Gives the plan another end: so long from now, or none (`None`).
    ///
    /// # Errors
    /// The plan has been stopped meanwhile; the process has ended.
    pub fn prolong(&mut self, duration: Option<Duration>) -> Result<(), ChildError> {
        match self.ask(&Ask::Prolong(duration))? {
            Reply::Prolonged => Ok(()),
            other => Err(other.into()),
        }
    }

    /// Why the plan came to its end by itself, if it has by then. Waits so long at most.
    ///
    /// # Errors
    /// The process has ended.
    pub fn wait(&mut self, limit: Duration) -> Result<Option<End>, ChildError> {
        if self.end.is_none() {
            // Zero would be for ever.
            let limit = limit.max(Duration::from_micros(1));
            self.stream.get_ref().set_read_timeout(Some(limit)).map_err(ChildError::Lost)?;
            let read = self.stream.fill_buf().map(|_| ());
            self.stream.get_ref().set_read_timeout(None).map_err(ChildError::Lost)?;
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                other => other.map_err(ChildError::Lost)?,
            }
            match self.receive()? {
                Reply::Ended(end) => self.end = Some(end),
                other => return Err(other.into()),
            }
        }
        Ok(self.end)
    }

    /// Ends the faults, takes the programs off and reports.
    ///
    /// # Errors
    /// The counters cannot be read; the process has ended.
    pub fn finish(mut self) -> Result<Report, ChildError> {
        match self.ask(&Ask::Finish)? {
            Reply::Finished(report) => Ok(*report),
            other => Err(other.into()),
        }
    }

    fn ask(&mut self, ask: &Ask) -> Result<Reply, ChildError> {
        self.send(ask)?;
        self.reply()
    }

    fn send(&mut self, message: &impl serde::Serialize) -> Result<(), ChildError> {
        let mut line = serde_json::to_vec(message).map_err(|error| ChildError::Lost(error.into()))?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).map_err(ChildError::Lost)
    }

    /// The next message but for the news of the plan's end.
    fn reply(&mut self) -> Result<Reply, ChildError> {
        loop {
            match self.receive()? {
                Reply::Ended(end) => self.end = Some(end),
                Reply::Refused { message, hint, blame } => {
                    return Err(ChildError::Refused { message, hint, blame });
                }
                reply => return Ok(reply),
            }
        }
    }

    fn receive(&mut self) -> Result<Reply, ChildError> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).map_err(ChildError::Lost)? == 0 {
            return Err(ChildError::Lost(io::ErrorKind::UnexpectedEof.into()));
        }
        serde_json::from_str(&line).map_err(|error| ChildError::Lost(error.into()))
    }
}

impl Drop for ChildPlan {
    /// The process takes everything back at the end of the stream, and is waited for.
    fn drop(&mut self) {
        let _ = self.stream.get_ref().shutdown(Shutdown::Both);
        let _ = self.child.wait();
    }
}
