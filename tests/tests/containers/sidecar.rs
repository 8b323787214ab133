//! The sidecar of `examples/sidecar`: it runs with the rights that the manifests give it, and each right of the table in
//! `docs/containers.md` is needed; without it the message names it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context as _, Result, ensure};
use injector_tests::{guest, victim};
use serde_json::Value;
use tempfile::TempDir;

use super::podman::{PLACE, Pool, STORAGE, podman};

/// The manifest of Kubernetes, and the table.
const POD: &str = include_str!("../../../examples/sidecar/pod.yaml");
const JOB: &str = include_str!("../../../examples/sidecar/job.yaml");
const TABLE: &str = include_str!("../../../docs/containers.md");

/// A row of the table, a plan that needs what it says, and what of that can be taken away alone.
const ROWS: [(&str, &[&str], &[&str]); 4] = [
    ("rules on calls", &["--io", "open:error=EIO:path=/etc/note"], &["BPF", "PERFMON"]),
    ("delays of calls", &["--io", "open:delay=1s:path=/etc/note"], &["SYS_ADMIN"]),
    ("rules on packets", &["--net", "egress : delay 10ms"], &["NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE"]),
    ("`--container`, `--pod`", &["--io", "open:error=EIO:path=/etc/note"], &["SYS_PTRACE"]),
];

/// A container with the program alone, as the image is, and what it is linked with.
struct Sidecar {
    root: TempDir,
}

/// What a manifest gives the container of injector.
struct Rights {
    capabilities: Vec<String>,
    unconfined: bool,
    host_pid: bool,
    read_only: bool,
    mounts: Vec<(String, String)>,
}

impl Rights {
    /// Those of the container `injector` of a pod's specification.
    fn of(pod: &Value) -> Result<Self> {
        let containers = pod["containers"].as_array().context("no containers")?;
        let injector = containers.iter().find(|container| container["name"] == "injector");
        let injector = injector.context("no container `injector`")?;
        let context = &injector["securityContext"];
        assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]));
        let texts = |list: &Value| -> Result<Vec<String>> { Ok(serde_json::from_value(list.clone())?) };
        let volumes = pod["volumes"].as_array().context("no volumes")?;
        let mount = |mount: &Value| -> Result<(String, String)> {
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]);
            let from = volume.and_then(|volume| volume["hostPath"]["path"].as_str());
            let to = mount["mountPath"].as_str();
            from.zip(to).map(|(from, to)| (from.to_owned(), to.to_owned())).context("half a volume")
        };
        let mounts = injector["volumeMounts"].as_array().context("no mounts")?;
        Ok(Self {
            capabilities: texts(&context["capabilities"]["add"])?,
            unconfined: context["seccompProfile"]["type"] == "Unconfined",
            host_pid: pod["hostPID"] == true,
            read_only: context["readOnlyRootFilesystem"] == true,
            mounts: mounts.iter().map(mount).collect::<Result<_>>()?,
        })
    }

    fn without(&self, capability: &str) -> Self {
        let capabilities = self.capabilities.iter().filter(|has| *has != capability).cloned().collect();
        Self { capabilities, mounts: self.mounts.clone(), ..*self }
    }

    /// As words of `podman run`.
    fn words(&self) -> Vec<String> {
        let mut words: Vec<String> =
            ["--network", "none", "--cgroupns", "private", "--cap-drop", "ALL"].map(Into::into).into();
        words.extend(self.capabilities.iter().map(|capability| format!("--cap-add={capability}")));
        words.extend(self.mounts.iter().map(|(from, to)| format!("--volume={from}:{to}")));
        for (given, word) in [
            (self.unconfined, "--security-opt=seccomp=unconfined"),
            (self.host_pid, "--pid=host"),
            (self.read_only, "--read-only"),
        ] {
            words.extend(given.then(|| word.to_owned()));
        }
        words
    }
}

impl Sidecar {
    fn new() -> Result<Self> {
        let root = victim::folder()?;
        for name in ["dev", "proc", "sys", "tmp"] {
            fs::create_dir_all(root.path().join(name))?;
        }
        let injector = guest::injector()?;
        let linked = Command::new("ldd").arg(&injector).output()?;
        let linked = String::from_utf8(linked.stdout)?;
        let libraries = linked.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from);
        let sidecar = Self { root };
        for library in libraries {
            sidecar.copy(&library, &library)?;
        }
        sidecar.copy(&injector, Path::new("/usr/bin/injector"))?;
        Ok(sidecar)
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        let to = self.root.path().join(to.strip_prefix("/")?);
        fs::create_dir_all(to.parent().context("no folder")?)?;
        fs::copy(from, to)?;
        Ok(())
    }

    /// injector in a container with these rights.
    fn injector(&self, rights: &Rights, words: &[&str]) -> Result<Output> {
        let given = rights.words();
        let root = self.root.path().display().to_string();
        let storage = format!("--env={STORAGE}={PLACE}/storage.conf");
        let mut all = vec!["run", "--rm", "--log-driver", "none", &storage];
        all.extend(given.iter().map(String::as_str));
        all.extend(["--rootfs", &root, "/usr/bin/injector"]);
        all.extend(words);
        podman(&all)
    }
}

/// The server fails for a sidecar with the manifest's rights; each right of the table is named when it is missing.
pub(super) fn has_the_rights_of_the_documentation(pool: &Pool) -> Result<()> {
    let sidecar = Sidecar::new()?;
    let pod: Value = serde_saphyr::from_str(POD)?;
    let all = Rights::of(&pod["spec"])?;
    let job: Value = serde_saphyr::from_str(JOB)?;
    let calls = Rights::of(&job["spec"]["template"]["spec"])?;

    // The job, as it is but for whom it means and for how long.
    let words = ["attach", "--container", "server", "--io", "open:error=EIO:path=/etc/note"];
    let expected = ["--for", "20s", "--expect", "rule 0 fired >= 1"];
    let output = sidecar.injector(&calls, &[&words[..], &expected].concat())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && said.contains("on container server for 20s"), "{output:?}");
    pool.met(1)?;

    for (row, rule, capabilities) in ROWS {
        // With CAP_SYS_ADMIN the kernel asks for neither CAP_BPF nor CAP_PERFMON (include/linux/capability.h).
        let rights = if rule[0] == "--net" { &all } else { &calls };
        let line = TABLE.lines().find(|line| line.starts_with(&format!("| {row}"))).context(row)?;
        for capability in capabilities {
            ensure!(line.contains(&format!("CAP_{capability}")), "{capability} is not in the row: {line}");
            let words = [&["attach", "--dry-run", "--container", "server"], rule].concat();
            let output = sidecar.injector(&rights.without(capability), &words)?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(!output.status.success(), "{row} without {capability}: {output:?}");
            ensure!(said.contains("hint: ") && said.contains(&format!("CAP_{capability}")), "{row}: {said}");
        }
    }
    Ok(())
}
