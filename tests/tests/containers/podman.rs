//! Podman with crun, without a registry and without systemd: a server, a client and a container that nobody means, all
//! from one folder.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use injector_tests::{
    patience::{LONG, until},
    victim,
};
use tempfile::TempDir;

/// A place in the guest's memory for podman's storage.
pub(super) const PLACE: &str = "/tmp/podman";

/// Names the file that says where the storage is: the machine's own may have been used before.
pub(super) const STORAGE: &str = "CONTAINERS_STORAGE_CONF";

/// What the server does in each of its lives: it serves files, and notes how long it could read one.
const SERVER: &str = "httpd -p 8080 -h /etc
now() { cut -d ' ' -f 1 /proc/uptime; }
begun=$(now)
while cat /etc/note > /dev/null 2>&1; do sleep 0.05; done
echo $begun $(now) >> /tmp/lives
exec sleep 1000
";

/// Podman's words on a machine without systemd.
pub(super) fn podman(words: &[&str]) -> Result<Output> {
    let mut command = Command::new("podman");
    command.env(STORAGE, Path::new(PLACE).join("storage.conf"));
    command.args(["--cgroup-manager", "cgroupfs", "--runtime", "crun", "--events-backend", "none"]);
    Ok(command.args(words).stdin(Stdio::null()).output()?)
}

pub(super) fn done(words: &[&str]) -> Result<String> {
    let output = podman(words)?;
    ensure!(output.status.success(), "podman {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Says where podman's storage is, and has podman make it.
pub(super) fn make_storage() -> Result<()> {
    fs::create_dir_all(PLACE)?;
    let [graph, run] = ["graph", "run"].map(|name| format!("{PLACE}/{name}"));
    let config = format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{graph}\"\nrunroot = \"{run}\"\n");
    fs::write(Path::new(PLACE).join("storage.conf"), config)?;
    done(&["ps"])?;
    Ok(())
}

/// The containers, which go with it.
pub(super) struct Pool {
    folder: TempDir,
    /// The ids of the server and of the third.
    pub(super) server: String,
    pub(super) third: String,
}

impl Pool {
    pub(super) fn start() -> Result<Self> {
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

    pub(super) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Starts one, and gives its id.
    pub(super) fn run(&self, name: &str, label: &str, command: &[&str]) -> Result<String> {
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
    pub(super) fn met(&self, number: usize) -> Result<f64> {
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
