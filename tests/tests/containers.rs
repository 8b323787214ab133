//! Containers by name: podman with crun, from a folder, without a registry. A server, a client and one that nobody means.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use injector_tests::{
    injector::Injector,
    patience::{LONG, until},
    residue::{Census, Exceptions},
    victim,
};
use serde_json::Value;
use tempfile::TempDir;

/// A place in the guest's memory for podman's storage.
const PLACE: &str = "/tmp/podman";

/// Names the file that says where the storage is: the machine's own may have been used before.
const STORAGE: &str = "CONTAINERS_STORAGE_CONF";

/// What the server does in each of its lives: it serves files, and notes how long it could read one.
const SERVER: &str = "httpd -p 8080 -h /etc
now() { cut -d ' ' -f 1 /proc/uptime; }
begun=$(now)
while cat /etc/note > /dev/null 2>&1; do sleep 0.05; done
echo $begun $(now) >> /tmp/lives
exec sleep 1000
";

/// What a life may last until the rules act again. The claim is 100 ms; this is an emulated machine that others use.
const SLACK: f64 = 2.0;

/// Podman's words on a machine without systemd.
fn podman(words: &[&str]) -> Result<Output> {
    let mut command = Command::new("podman");
    command.env(STORAGE, Path::new(PLACE).join("storage.conf"));
    command.args(["--cgroup-manager", "cgroupfs", "--runtime", "crun", "--events-backend", "none"]);
    Ok(command.args(words).stdin(Stdio::null()).output()?)
}

fn done(words: &[&str]) -> Result<String> {
    let output = podman(words)?;
    ensure!(output.status.success(), "podman {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Says where podman's storage is, and has podman make it.
fn make_storage() -> Result<()> {
    fs::create_dir_all(PLACE)?;
    let [graph, run] = ["graph", "run"].map(|name| format!("{PLACE}/{name}"));
    let config = format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{graph}\"\nrunroot = \"{run}\"\n");
    fs::write(Path::new(PLACE).join("storage.conf"), config)?;
    done(&["ps"])?;
    Ok(())
}

/// The containers, which go with it.
struct Pool {
    folder: TempDir,
    /// The ids of the server and of the third.
    server: String,
    third: String,
}

impl Pool {
    fn start() -> Result<Self> {
        let mut pool = Self { folder: victim::folder()?, server: String::new(), third: String::new() };
        let root = pool.root();
        for name in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
            fs::create_dir_all(root.join(name))?;
        }
        fs::copy("/bin/busybox", root.join("bin/busybox")).context("busybox-static is needed")?;
        for name in ["cat", "cut", "httpd", "sh", "sleep", "wget"] {
            symlink("busybox", root.join("bin").join(name))?;
        }
        fs::write(root.join("etc/note"), "read\n")?;
        fs::write(root.join("etc/slow"), "late\n")?;
        fs::write(root.join("etc/server"), SERVER)?;
        pool.server = pool.run("server", "tier=back", &["/bin/sh", "/etc/server"])?;
        pool.run("client", "tier=front", &["/bin/sleep", "1000"])?;
        pool.third = pool.run("third", "tier=front", &["/bin/sleep", "1000"])?;
        Ok(pool)
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Starts one, and gives its id.
    fn run(&self, name: &str, label: &str, command: &[&str]) -> Result<String> {
        let root = self.root().display().to_string();
        let words = ["run", "--detach", "--name", name, "--label", label, "--network", "host"];
        let words = [&words[..], &["--log-driver", "none", "--rootfs", &root], command].concat();
        Ok(done(&words)?.trim().to_owned())
    }

    /// How long the server's lives have lasted until it was met, in seconds.
    fn lives(&self) -> Result<Vec<f64>> {
        let Ok(text) = fs::read_to_string(self.root().join("tmp/lives")) else { return Ok(Vec::new()) };
        let life = |line: &str| -> Result<f64> {
            let (begun, met) = line.split_once(' ').context("half a line")?;
            Ok(met.parse::<f64>()? - begun.parse::<f64>()?)
        };
        text.lines().map(life).collect()
    }

    /// Waits for one more that was met.
    fn met(&self, number: usize) -> Result<f64> {
        until("a fault in the server", LONG, || Ok(self.lives()?.len() >= number))?;
        self.lives()?.get(number - 1).copied().context("no life")
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Err(error) = done(&["rm", "--all", "--force", "--time", "0"]) {
            eprintln!("{error:#}");
        }
    }
}

fn fetch(file: &str) -> Result<Output> {
    podman(&["exec", "client", "/bin/wget", "-q", "-O", "-", &format!("http://127.0.0.1:8080/{file}")])
}

fn attach(words: &[&str]) -> Result<Injector> {
    let config = format!("{PLACE}/storage.conf");
    Ok(Injector::new(["attach", "--for", "2m"])?.variable(STORAGE, &config).words(words))
}

/// One pool for all of it: a container takes seconds to start in an emulated machine.
#[test]
fn containers_by_name() -> Result<()> {
    make_storage()?;
    let census = Census::take()?;
    let pool = Pool::start()?;
    a_server_through_three_restarts(&pool)?;
    many_and_none(&pool.third)?;
    drop(pool);
    census.gone(Exceptions::None)?;
    Ok(())
}

fn a_server_through_three_restarts(pool: &Pool) -> Result<()> {
    let rules = ["--io", "open:error=EIO:path=/etc/note", "--io", "open:delay=3s:path=/etc/slow"];
    let mut injector = attach(&["--container", "server"])?.words(rules).json().logged().start()?;
    // Programs on operations that may also wait are the longest to load.
    until("the beginning of the plan", 3 * LONG, || Ok(injector.stderr().contains("injector: plan ")))?;
    let id = injector.begun()?;
    ensure!(injector.stderr().contains("on container server for"), "{}", injector.stderr());
    let listed = Injector::new(["ps", "--json"])?.expect(0)?.stdout;
    ensure!(listed.contains(&id) && listed.contains("container server"), "{listed}");
    pool.met(1)?;

    // Slow and failing for whoever asks the server; the same files are nothing to the third.
    let begun = Instant::now();
    ensure!(fetch("slow")?.stdout == b"late\n", "what is late is lost");
    let waited = begun.elapsed();
    eprintln!("the client waited {waited:?} for the server");
    ensure!(waited >= Duration::from_secs(3), "the client waited {waited:?} only");
    let failed = fetch("note")?;
    ensure!(!failed.status.success(), "{failed:?}");
    assert_eq!(done(&["exec", "third", "/bin/cat", "/etc/note", "/etc/slow"])?, "read\nlate\n");

    // The same container again, the same once it was killed, and another one of that name.
    done(&["restart", "--time", "0", "server"])?;
    let mut lives = vec![pool.met(2)?];
    done(&["kill", "server"])?;
    done(&["wait", "server"])?;
    done(&["start", "server"])?;
    lives.push(pool.met(3)?);
    done(&["rm", "--force", "--time", "0", "server"])?;
    let id = pool.run("server", "tier=back", &["/bin/sh", "/etc/server"])?;
    lives.push(pool.met(4)?);
    ensure!(id != pool.server, "the same id");
    eprintln!("seconds until the rules acted again: {lives:?}");
    ensure!(lives.iter().all(|&life| life < SLACK), "{lives:?}");

    let finished = injector.interrupt()?.expect(0)?;
    let report: Value = serde_json::from_str(&finished.stdout).context(finished.stdout)?;
    assert_eq!(report["returns"], serde_json::json!({"container server": 3}));
    // The third has met none of the rules, though it opened both files.
    ensure!(!finished.log.is_empty(), "an empty log");
    for line in &finished.log {
        assert_eq!(line["target"], "container server", "{line}");
    }
    ensure!(fetch("note")?.stdout == b"read\n", "still failing");
    Ok(())
}

/// By a label, by a glob, some of many; and names that mean none, one that has ended, or two.
fn many_and_none(id: &str) -> Result<()> {
    let dry = |words: &[&str]| {
        let rule = ["--dry-run", "-e", "inject=openat:error=EIO:path=/etc/note"];
        attach(words).map(|injector| injector.words(rule))
    };
    let targets = |words: &[&str]| -> Result<Vec<String>> {
        let told = dry(words)?.expect(0)?.stdout;
        let mut targets: Vec<_> =
            told.lines().filter_map(|line| line.strip_prefix("target  ")).map(str::to_owned).collect();
        targets.sort_unstable();
        Ok(targets)
    };
    let [client, server, third] = ["container client", "container server", "container third"];
    assert_eq!(targets(&["--label", "tier=front"])?, [client, third]);
    assert_eq!(targets(&["--container", "/^(server|third)$/", "--container", "th*"])?, [server, third]);
    let two = targets(&["--container", "*", "--count", "2", "--seed", "5"])?;
    assert_eq!(two.len(), 2);
    assert_eq!(targets(&["--container", "*", "--percent", "40%", "--seed", "5"])?, two, "the same draw");
    assert_eq!(targets(&["--container", &id[..12]])?, [format!("container {}", &id[..12])]);
    let found = targets(&["--cgroup", &format!("libpod-{id}")])?;
    ensure!(found.len() == 1 && found[0].contains(id), "{found:?}");

    done(&["stop", "--time", "0", "third"])?;
    for (words, says, hint) in [
        (&["--container", "thrid"][..], "none of 3 containers has that name or id", "did you mean `third`?"),
        (&["--container", "third"], "it does not run, so it has no cgroup", "start it: podman start third"),
        (&["--unit", "nothing"], "there is no such unit", "systemctl list-units"),
        (&["--container", "*", "--count", "9"], "cannot choose 9 targets: the names mean 2", "ask for fewer"),
    ] {
        let said = dry(words)?.expect(2)?.stderr;
        ensure!(said.contains(says) && said.contains(hint), "{words:?}: {said}");
    }
    // Another runtime has one of that name; its state is what Docker writes.
    let twin = Twin::of("client")?;
    let said = dry(&["--container", "client"])?.expect(2)?.stderr;
    ensure!(said.contains("2 have that name"), "{said}");
    // A state that cannot be read matters to a name that is not found elsewhere.
    fs::write(twin.folder.join("config.v2.json"), "{")?;
    dry(&["--container", "server"])?.expect(0)?;
    let said = dry(&["--container", "nobody"])?.expect(2)?.stderr;
    ensure!(said.contains("cannot read /var/lib/docker/containers/"), "{said}");
    Ok(())
}

/// A container of Docker with that name, as far as its state and its cgroup tell.
struct Twin {
    folder: PathBuf,
    cgroup: PathBuf,
}

impl Twin {
    fn of(name: &str) -> Result<Self> {
        let id = "feed".repeat(16);
        let folder = Path::new("/var/lib/docker/containers").join(&id);
        fs::create_dir_all(&folder)?;
        let config = format!(r#"{{"ID":"{id}","Name":"/{name}","Config":{{"Labels":{{}}}}}}"#);
        fs::write(folder.join("config.v2.json"), config)?;
        let cgroup = Path::new(injector_tests::cgroup::MOUNT).join("docker").join(&id);
        fs::create_dir_all(&cgroup)?;
        Ok(Self { folder, cgroup })
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.cgroup);
        let _ = self.cgroup.parent().map(fs::remove_dir);
        let _ = fs::remove_dir_all("/var/lib/docker");
    }
}
