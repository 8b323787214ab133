//! The clients: all at once, in a cgroup that meets the faults, and what each of them says.

use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use injector_tests::{
    cgroup::Scratch,
    injector::{Injector, Running},
    postgres,
};

use crate::services::{self, Services};

/// How a client ended, and what it said on both its streams.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) line: String,
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

impl Answer {
    /// It has to have failed like this.
    pub(crate) fn fails(&self, (code, text): (i32, &str)) -> Result<()> {
        let line = self.said.lines().find(|line| line.contains(text));
        eprintln!("{}: {}", self.line, line.unwrap_or(&self.said).trim());
        ensure!(self.code == Some(code) && self.said.contains(text), "{self:#?} instead of {code}, {text}");
        Ok(())
    }

    /// It has to have succeeded.
    pub(crate) fn good(&self) -> Result<&str> {
        ensure!(self.code == Some(0), "{self:#?}");
        Ok(&self.said)
    }
}

/// What each of them says, in the order of the columns of docs/applications.md.
pub(crate) type Answers = [Answer; 6];

/// How many seconds the clients wait.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// Those that have a time-out: for a connection, or for all they do.
    pub(crate) patience: u32,
    /// redis-cli, which has none: until it is ended.
    pub(crate) redis: u32,
}

/// A cgroup for clients.
pub(crate) struct Clients {
    pub(crate) services: &'static Services,
    cgroup: Scratch,
}

impl Clients {
    pub(crate) fn new() -> Result<Self> {
        let (services, cgroup) = (services::started()?, Scratch::new()?);
        // Somebody has to live there when the injector comes, so that it knows the network namespace.
        cgroup.spawn(Command::new("sleep").arg("1000"))?;
        Ok(Self { services, cgroup })
    }

    /// An injector with these rules on packets, which act when this returns.
    pub(crate) fn attach(&self, rules: &[&str]) -> Result<Running> {
        let mut injector =
            Injector::new(["attach", "--json", "--seed", "7", "--cgroup"])?.word(self.cgroup.path());
        for rule in rules {
            injector = injector.words(["--net", rule]);
        }
        let mut injector = injector.start()?;
        injector.begun()?;
        Ok(injector)
    }

    /// Ends it; each of its rules has to have met something.
    pub(crate) fn detach(injector: Running) -> Result<()> {
        let report = injector.interrupt()?.expect(0)?.report()?;
        ensure!(report.rules.iter().all(|rule| rule.fired > 0), "{:?}", report.rules);
        Ok(())
    }

    /// What all clients say under these rules if they are patient for so many seconds.
    pub(crate) fn under(&self, rules: &[&str], patience: Patience) -> Result<Answers> {
        let injector = self.attach(rules)?;
        let answers = self.ask_all(patience)?;
        Self::detach(injector)?;
        Ok(answers)
    }

    fn ask_all(&self, Patience { patience, redis }: Patience) -> Result<Answers> {
        let port = self.services.http.port;
        let curl = format!("curl -sv -o /dev/null --connect-timeout {patience}");
        let psql = format!("PGCONNECT_TIMEOUT={patience} psql -X -U postgres -h");
        let lines = [
            format!("{curl} http://127.0.0.1:{port}/"),
            format!("{curl} http://web.test:{port}/"),
            format!("{psql} 127.0.0.1 -c 'select 1'"),
            format!("{psql} db.test -c 'select 1'"),
            format!("timeout {redis} redis-cli ping"),
            format!("etcdctl --debug --dial-timeout={patience}s --command-timeout={patience}s get key"),
        ];
        let children = lines.map(|line| self.start(&line).map(|child| (line, child)));
        let mut answers = Vec::new();
        for child in children {
            let (line, child) = child?;
            answers.push(answer(line, child)?);
        }
        answers.try_into().ok().context("another number of clients")
    }

    /// What one client says.
    pub(crate) fn ask(&self, line: &str) -> Result<Answer> {
        answer(line.to_owned(), self.start(line)?)
    }

    /// Starts a client by a line for the shell.
    pub(crate) fn start(&self, line: &str) -> Result<Child> {
        self.cgroup.spawn(shell(line)?.stdin(Stdio::null()).stdout(Stdio::piped()))
    }

    /// The same with streams as the caller has set them.
    pub(crate) fn spawn(&self, command: &mut Command) -> Result<Child> {
        self.cgroup.spawn(command)
    }
}

/// A line for the shell. psql is the program itself: the one on the path is a script that looks for it.
pub(crate) fn shell(line: &str) -> Result<Command> {
    let mut command = Command::new("sh");
    let programs = postgres::programs()?;
    command.args(["-c", &format!("PATH={}:$PATH; exec 2>&1; {line}", programs.display())]);
    Ok(command)
}

fn answer(line: String, child: Child) -> Result<Answer> {
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(Answer { line, code: output.status.code(), said })
}

/// All clients have to have failed like this.
pub(crate) fn all_fail(answers: &Answers, how: [(i32, &str); 6]) -> Result<()> {
    answers.iter().zip(how).try_for_each(|(answer, how)| answer.fails(how))
}
