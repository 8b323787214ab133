//! Services find each other, start in order, come back, and are gone with their lab.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use injector::experiment::{
    journal::Record,
    lab::{Lab, LabError},
    model::{self, Action, CommandLine, Deed, HttpRequest, Limits, ReadyCheck, Restart, Service, Template},
    variables::Variables,
    warden::Warden,
};
use injector_tests::{
    lab::{lab, located, place, port, ready_when, service, web_server},
    patience,
    residue::{Census, Exceptions},
};
use regex::bytes::Regex;
use tempfile::TempDir;
use tokio::{
    runtime::Runtime,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};

/// A lab that was asked for, with all that it needs.
struct Trial {
    runtime: Runtime,
    folder: TempDir,
    warden: Warden,
    census: Census,
    spaces: BTreeSet<[String; 2]>,
    events: UnboundedReceiver<Record>,
    lab: Result<Lab, LabError>,
}

impl Trial {
    fn start(model: &model::Lab) -> Result<Self> {
        let (census, spaces) = (Census::take()?, spaces()?);
        let folder = tempfile::Builder::new().prefix("run-").tempdir_in("/tmp")?;
        let warden = Warden::start()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let (sender, events) = unbounded_channel();
        let variables = Variables::new("a-test", 1);
        let lab = runtime.block_on(Lab::start(model, &place(folder.path()), &variables, &warden, sender));
        Ok(Self { runtime, folder, warden, census, spaces, events, lab })
    }

    fn lab(&self) -> Result<&Lab> {
        self.lab.as_ref().map_err(|error| anyhow::anyhow!("{error}; {}", error.hint()))
    }

    /// What services have done so far.
    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Ok(Record::Service { name, event }) = self.events.try_recv() {
            told.push(format!("{name} {event}"));
        }
        told
    }

    fn log(&self, service: &str) -> Result<String> {
        Ok(fs::read_to_string(self.folder.path().join("logs").join(service))?)
    }

    /// Stops it; gives what is told from here on.
    fn stop(mut self) -> Result<Vec<String>> {
        let lab = self.lab?;
        let left = self.runtime.block_on(lab.stop());
        ensure!(left.is_empty(), "{left:?}");
        ensure!(self.warden.finish().is_empty());
        nothing_left(&self.census, &self.spaces)?;
        let mut told = Vec::new();
        while let Ok(Record::Service { name, event }) = self.events.try_recv() {
            told.push(format!("{name} {event}"));
        }
        Ok(told)
    }

    /// Why it did not start; nothing of it is there.
    fn refused(self) -> Result<String> {
        let error = self.lab.err().context("it started")?;
        ensure!(self.warden.finish().is_empty());
        nothing_left(&self.census, &self.spaces)?;
        Ok(error.to_string())
    }
}

fn nothing_left(census: &Census, before: &BTreeSet<[String; 2]>) -> Result<()> {
    census.gone(Exceptions::None)?;
    // A network or mounts that nobody has open and nobody lives in are gone.
    for entry in fs::read_dir("/proc/self/fd")? {
        let target = fs::read_link(entry?.path()).unwrap_or_default();
        let target = target.to_string_lossy();
        ensure!(!target.starts_with("net:") && !target.starts_with("mnt:"), "{target} is open");
    }
    let spaces = spaces()?;
    ensure!(spaces.is_subset(before), "somebody lives in {:?}", spaces.difference(before));
    Ok(())
}

/// Networks and mounts of all processes.
fn spaces() -> Result<BTreeSet<[String; 2]>> {
    let mut spaces = BTreeSet::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().filter(|name| name.parse::<u32>().is_ok()) {
            spaces.extend(namespaces_of(pid).ok());
        }
    }
    Ok(spaces)
}

/// Network and mounts of a process.
fn namespaces_of(pid: &str) -> Result<[String; 2]> {
    let of =
        |kind| fs::read_link(format!("/proc/{pid}/ns/{kind}")).map(|to| to.to_string_lossy().into_owned());
    Ok([of("net")?, of("mnt")?])
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn three_services_find_each_other_by_name() -> Result<()> {
    let health = HttpRequest {
        url: Template::new("http://${self}:8080/index.html"),
        method: "GET".into(),
        headers: BTreeMap::new(),
        body: None,
    };
    let asks = "for whom in db cache; do wget -qO- http://$whom:8080/index.html; done; echo asked all\n\
                echo for $WHOM; exec sleep 1000";
    let web = Service {
        after: vec!["db".into(), "cache".into()],
        environment: BTreeMap::from([("WHOM".into(), Template::new("${self} of ${run}, ${address.db}"))]),
        ..service(asks)
    };
    let model = lab([
        ("db", ready_when(ReadyCheck::Http(health), web_server())),
        ("cache", ready_when(port(8080), web_server())),
        ("web", ready_when(ReadyCheck::Log(Regex::new("^for ")?), web)),
    ]);
    let start = Instant::now();
    let mut trial = Trial::start(&model)?;
    let took = start.elapsed();
    trial.lab()?;
    let told = trial.told();
    let at =
        |event: &str| told.iter().position(|one| one == event).with_context(|| format!("{event}: {told:?}"));
    ensure!(at("db ready")? < at("web started")? && at("cache ready")? < at("web started")?, "{told:?}");
    let said = "I am db at 10.77.0.3\nI am cache at 10.77.0.2\nasked all\nfor web of a-test, 10.77.0.3\n";
    ensure!(trial.log("web")? == said, "{}", trial.log("web")?);
    let lab = trial.lab()?;
    eprintln!("three services run after {took:?}");
    each_lives_apart(lab)?;
    from_inside_and_outside(lab)?;
    let before = lab.pids("db")?;
    trial.runtime.block_on(lab.restart("db"))?;
    let after = lab.pids("db")?;
    ensure!(!after.is_empty() && after.is_disjoint(&before), "{before:?} {after:?}");
    patience::until("the restarted service's answer", patience::LONG, || {
        Ok(ask(lab, None, "10.77.0.3:8080").is_ok_and(|said| said.contains("I am db")))
    })?;
    let told = trial.told();
    ensure!(told[..2] == ["db killed SIGTERM", "db restarted"], "{told:?}");
    let start = Instant::now();
    let told: BTreeSet<_> = trial.stop()?.into_iter().filter(|event| !event.ends_with("ready")).collect();
    eprintln!("they are gone after {:?}", start.elapsed());
    let all = ["cache", "db", "web"].map(|name| format!("{name} killed SIGTERM"));
    ensure!(told == BTreeSet::from(all), "{told:?}");
    Ok(())
}

/// Each has processes of its own, in a cgroup, a network and mounts of its own, and begins in its folder.
fn each_lives_apart(lab: &Lab) -> Result<()> {
    let mut seen = BTreeSet::from([namespaces_of("self")?]);
    for name in lab.services() {
        let cgroup = lab.cgroup(name)?;
        let pids = lab.pids(name)?;
        ensure!(!pids.is_empty(), "{name}");
        for pid in &pids {
            let of = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
            ensure!(cgroup.ends_with(of.trim().trim_start_matches("0::/")), "{of} {}", cgroup.display());
            let home = fs::read_link(format!("/proc/{pid}/cwd"))?;
            let own = format!("/services/{name}");
            ensure!(home.to_string_lossy().contains(&own), "{}", home.display());
        }
        let pid = pids.first().context("nobody")?.to_string();
        ensure!(seen.insert(namespaces_of(&pid)?), "{name} shares {seen:?}");
        let hosts = fs::read_to_string(format!("/proc/{pid}/root/etc/hosts"))?;
        ensure!(lines(&hosts)[2..] == ["10.77.0.2 cache", "10.77.0.3 db", "10.77.0.4 web"], "{hosts}");
        let [inside, outside] = [format!("/proc/{pid}/root/etc/resolv.conf"), "/etc/resolv.conf".into()]
            .map(|path| fs::read(path).ok());
        ensure!(inside == outside);
    }
    let others: Vec<_> = lab.peers("db")?.into_values().collect();
    ensure!(others == ["10.77.0.2".parse::<IpAddr>()?, "10.77.0.4".parse()?], "{others:?}");
    ensure!(lab.address("web")? == "10.77.0.4".parse::<IpAddr>()? && lab.died().is_empty());
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    ensure!(!hosts.contains("10.77"), "{hosts}");
    Ok(())
}

/// The lab's network is reached from its namespaces, and from nowhere else.
fn from_inside_and_outside(lab: &Lab) -> Result<()> {
    for (service, whom) in
        [(None, "10.77.0.2:8080"), (Some("web"), "10.77.0.2:8080"), (Some("cache"), "10.77.0.2:8080")]
    {
        let said = ask(lab, service, whom)?;
        ensure!(said.ends_with("I am cache at 10.77.0.2\n"), "{said}");
    }
    let closed = ask(lab, Some("db"), "127.0.0.1:8081").err().context("who answers there?")?;
    ensure!(closed.to_string().contains("refused"), "{closed}");
    let outside = TcpStream::connect_timeout(&"10.77.0.2:8080".parse()?, Duration::from_millis(300));
    ensure!(outside.is_err(), "the machine is in the lab");
    ensure!(matches!(lab.namespaces(Some("none")), Err(LabError::Unknown(_))));
    Ok(())
}

/// What a web server of the lab says to somebody inside.
fn ask(lab: &Lab, service: Option<&str>, whom: &str) -> Result<String> {
    let namespaces = lab.namespaces(service)?;
    let network = namespaces.network.context("no network")?;
    let address: SocketAddr = whom.parse()?;
    let mut stream = network.run(|| TcpStream::connect_timeout(&address, Duration::from_secs(2)))??;
    stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n")?;
    let mut said = String::new();
    stream.read_to_string(&mut said)?;
    Ok(said)
}

#[test]
fn a_service_that_cannot_start_says_why() -> Result<()> {
    let good = || ready_when(port(8080), web_server());
    let broken = |service: Service| Trial::start(&lab([("db", service), ("web", good())]))?.refused();
    let fails = ready_when(port(1), service("echo starting; echo no disk >&2; exit 3"));
    let said = broken(fails)?;
    ensure!(
        said == "service `db` exited 3 before it was ready; its last words:\n  starting\n  no disk",
        "{said}"
    );
    let words = ["no-such-program", "-x"].map(Template::new).to_vec();
    let said = broken(Service { command: CommandLine::Words(words), ..service("") })?;
    let missing =
        "service `db` cannot be started: there is no program `no-such-program`; it has said nothing";
    ensure!(said == missing, "{said}");
    let mut silent = ready_when(port(1), service("exec sleep 1000"));
    if let Some(ready) = &mut silent.ready {
        ready.within = Duration::from_millis(400);
    }
    let said = broken(silent)?;
    ensure!(said.starts_with("service `db` is not ready after 400ms: connection refused"), "{said}");
    let said = broken(service("exec sleep ${nothing}"))?;
    ensure!(said == "service `db`: `${nothing}` has no value here", "{said}");
    let said = broken(Service { user: Some("nobody-at-all".into()), ..service("id") })?;
    ensure!(said == "service `db`: there is no user nobody-at-all", "{said}");
    Ok(())
}

#[test]
fn a_service_that_fails_comes_back() -> Result<()> {
    let counts =
        "n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) > n; [ $n -ge 2 ] && exec sleep 1000; exit 1";
    let check = ReadyCheck::Command(CommandLine::Shell(Template::new("test $(cat n) = 3")));
    let failing = ready_when(check, Service { restart: Restart::OnFailure, ..service(counts) });
    let done = Service { restart: Restart::OnFailure, ..service("exit 0") };
    let mut trial = Trial::start(&lab([("failing", failing), ("done", done)]))?;
    trial.lab()?;
    let told = trial.told();
    let of = |name: &str| -> Vec<_> {
        told.iter().filter_map(|event| event.strip_prefix(name)).map(str::trim).map(str::to_owned).collect()
    };
    let expected = ["started", "exited 1", "restarted", "exited 1", "restarted", "ready"];
    ensure!(of("failing ") == expected, "{told:?}");
    ensure!(of("done ").contains(&"exited 0".to_owned()), "{told:?}");
    let died = trial.lab()?.died();
    ensure!(died == BTreeMap::from([("done".to_owned(), "exited 0".to_owned())]), "{died:?}");
    trial.stop()?;
    Ok(())
}

#[test]
fn limits_a_user_and_what_is_done_before() -> Result<()> {
    let limits = Limits { memory: Some(64 << 20), cpu: Some(0.5), pids: Some(20) };
    let who = "id -un; ls -l conf/own | cut -d' ' -f3; cat prepared; exec sleep 1000";
    let limited = Service {
        limits,
        user: Some("nobody".into()),
        files: BTreeMap::from([("conf/own".into(), Template::new("x"))]),
        ..service(who)
    };
    let mut model = lab([("db", ready_when(ReadyCheck::Log(Regex::new("^prepared")?), limited))]);
    let prepare = |line: &str| Action {
        deed: located(Deed::Run(CommandLine::Shell(Template::new(line)))),
        inside: Some("db".into()),
        timeout: Duration::from_secs(5),
    };
    // What it leaves running ends with the lab.
    // It has left the command's process group before the command ends, with which the group is killed.
    let leaves = "setsid sh -c 'touch ${dir.db}/apart; exec sleep 1000' > /dev/null 2>&1 & \
                  while ! test -e ${dir.db}/apart; do sleep 0.1; done; ip -o -4 addr show eth0 > ${dir.db}/addresses; \
                  echo prepared by $(getent hosts db) > ${dir.db}/prepared";
    model.prepare = vec![prepare(leaves)];
    let mut trial = Trial::start(&model)?;
    let cgroup = trial.lab()?.cgroup("db")?;
    let read = |file: &str| fs::read_to_string(cgroup.join(file)).map(|text| text.trim().to_owned());
    ensure!(read("memory.max")? == "67108864" && read("pids.max")? == "20");
    ensure!(read("cpu.max")? == "50000 100000");
    let log = trial.log("db")?;
    ensure!(lines(&log)[..2] == ["nobody", "nobody"], "{log}");
    ensure!(lines(&log)[2].starts_with("prepared by 10.77.0.2") && lines(&log)[2].ends_with(" db"), "{log}");
    let addresses = fs::read_to_string(trial.folder.path().join("services/db/addresses"))?;
    ensure!(addresses.contains("10.77.0.2/24"), "{addresses}");
    let sleeps = || fs::read_to_string(cgroup.with_file_name("commands").join("cgroup.procs"));
    ensure!(sleeps()?.lines().count() == 1, "{}", sleeps()?);
    trial.told();
    trial.stop()?;
    model.prepare = vec![prepare("echo it is full >&2; exit 4")];
    let said = Trial::start(&model)?.refused()?;
    ensure!(said.starts_with("cannot prepare the lab: `echo it is full >&2; exit 4`"), "{said}");
    ensure!(said.ends_with("exit 4: it is full"), "{said}");
    Ok(())
}

#[test]
fn whoever_does_not_end_is_killed() -> Result<()> {
    let stubborn = Service {
        stop_within: Duration::from_millis(300),
        ..service("trap '' TERM; setsid sleep 1000 & while :; do sleep 1; done")
    };
    let trial = Trial::start(&lab([("stubborn", stubborn)]))?;
    let lab = trial.lab()?;
    patience::until("three processes", patience::LONG, || Ok(lab.pids("stubborn")?.len() == 3))?;
    let start = Instant::now();
    let told = trial.stop()?;
    let took = start.elapsed();
    ensure!(told.contains(&"stubborn killed SIGKILL".to_owned()), "{told:?}");
    ensure!((300..2000).contains(&took.as_millis()), "{took:?}");
    Ok(())
}

#[test]
fn dropping_a_lab_ends_it() -> Result<()> {
    let trial = Trial::start(&lab([("db", ready_when(port(8080), web_server()))]))?;
    let pids = trial.lab()?.pids("db")?;
    drop(trial.lab);
    // The last of its undoing is the warden's, which knows of nothing.
    ensure!(trial.warden.finish().is_empty());
    nothing_left(&trial.census, &trial.spaces)?;
    ensure!(!pids.is_empty() && pids.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
    Ok(())
}
