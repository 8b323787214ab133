//! `injector doctor` says the truth about each kernel: what works, why something does not, and what to do.
//! The truth is known beforehand: from the kernel's name, and from what the kernel itself shows.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    guest::{self, Kernel},
    injector::Injector,
    residue::{Census, Exceptions},
    victim,
};
use serde_json::Value;

/// Every mechanism with its finding.
fn findings() -> Result<(Value, BTreeMap<String, Value>)> {
    let finished = Injector::new(["doctor", "--json"])?.expect(0)?;
    let all: Value = serde_json::from_str(&finished.stdout).context(finished.stdout)?;
    let mechanisms = all["mechanisms"].as_array().context("no mechanisms")?.iter();
    let named = mechanisms.map(|one| (one["mechanism"].as_str().unwrap_or_default().to_owned(), one.clone()));
    Ok((all.clone(), named.collect()))
}

#[test]
fn what_works_and_what_does_not() -> Result<()> {
    let (kernel, census) = (Kernel::running()?, Census::take()?);
    let (all, found) = findings()?;
    census.gone(Exceptions::None)?;

    // The kernel's own list of what can be made to fail exists with the option, and only with it.
    let listed = Path::new("/sys/kernel/debug/error_injection/list").exists();
    assert_eq!(listed, kernel.injects_calls());
    let expected = [
        ("btf", true),
        ("process_tree", true),
        ("cgroup2", true),
        ("fmod_ret", listed),
        ("kprobe", listed),
        ("hook", true),
        ("call_delay", listed),
        ("call_delay_hook", kernel.delays_at_hooks()),
        ("cgroup_skb", true),
        ("cgroup_connect", true),
        ("tcx", kernel.has_tcx()),
        ("clsact", true),
        ("sockets", true),
        ("freezer", true),
        ("cgroup_kill", true),
        ("pidfd", true),
    ];
    for (mechanism, works) in expected {
        let finding = found.get(mechanism).with_context(|| format!("nothing on {mechanism}"))?;
        assert_eq!(finding["available"], works, "{finding:#}");
        let told = |field: &str| finding[field].as_str().is_some_and(|text| !text.trim().is_empty());
        ensure!(works || (told("why") && told("remedy")), "{finding:#}");
        ensure!(!works || finding["why"].is_null(), "{finding:#}");
    }
    for (operation, wait) in [("open", "yes"), ("connect", "yes"), ("rename", "unsafe"), ("read", "no")] {
        let operations = all["operations"].as_array().context("no operations")?;
        let found = operations.iter().find(|found| found["operation"] == operation);
        let expected = if kernel.delays_at_hooks() { wait } else { "no" };
        assert_eq!(found.with_context(|| operation.to_owned())?["delay"], expected, "{operation}");
    }
    let delays = &all["delays"];
    if kernel.injects_calls() {
        assert_eq!((&delays["calls"], &delays["at_exit"]), (&"any".into(), &true.into()));
    } else if kernel.delays_at_hooks() {
        let calls = delays["calls"]["some"].as_array().context("no calls")?;
        let has = |name: &str| calls.iter().any(|call| *call == name);
        ensure!(has("openat") && has("connect") && !has("rename") && !has("fsync"), "{calls:?}");
        assert_eq!(delays["at_exit"], false);
    } else {
        assert_eq!((&delays["calls"], delays["late_ns"].is_null()), (&"none".into(), true));
    }
    if kernel.injects_calls() || kernel.delays_at_hooks() {
        let number = |field: &str| delays[field].as_u64().with_context(|| format!("{field}: {delays:#}"));
        ensure!(number("late_ns")? <= number("most_late_ns")? && number("late_ns")? > 0, "{delays:#}");
        assert_eq!((number("shortest_ns")?, number("longest_ns")?), (200_000, 10_000_000_000));
        ensure!(number("at_once")? >= 35, "{delays:#}");
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    assert_eq!(all["kernel"].as_str(), Some(release.trim()));
    if !listed {
        let why = |mechanism: &str| found[mechanism]["why"].as_str().unwrap_or_default().to_owned();
        ensure!(why("fmod_ret").contains("CONFIG_FUNCTION_ERROR_INJECTION"), "{}", why("fmod_ret"));
        ensure!(why("kprobe").contains("CONFIG_BPF_KPROBE_OVERRIDE"), "{}", why("kprobe"));
        // The same words when a rule needs it.
        let refused = Injector::run("fsync:error=EIO")?.command(&["true"]).expect(125)?;
        ensure!(refused.stderr.contains(&why("fmod_ret")), "{}", refused.stderr);
    }
    Ok(())
}

/// Without a right, what it is for is not promised. Loading would work; only attaching tells. Where `CAP_NET_ADMIN`
/// is asked for, the kernel takes `CAP_SYS_ADMIN` as well (kernel/bpf/token.c, `bpf_ns_capable`).
#[test]
fn what_a_right_is_missing_for() -> Result<()> {
    let doctor = Command::new("setpriv")
        .args(["--bounding-set", "-net_admin,-sys_admin", "--inh-caps", "-net_admin,-sys_admin"])
        .arg(guest::injector()?)
        .args(["doctor", "--json"])
        .output()
        .context("setpriv is needed")?;
    let all: Value = serde_json::from_slice(&doctor.stdout)?;
    for finding in all["mechanisms"].as_array().context("no mechanisms")? {
        let network = ["cgroup_skb", "cgroup_connect", "tcx", "clsact"]
            .contains(&finding["mechanism"].as_str().unwrap_or_default());
        ensure!(!network || finding["available"] == false, "{finding:#}");
    }
    ensure!(all["missing_capabilities"].to_string().contains("CAP_NET_ADMIN"), "{all:#}");
    Ok(())
}

/// The cause is what the attempt needed, each once; what else is missing is not named.
#[test]
fn a_refusal_names_what_was_needed() -> Result<()> {
    let injector = guest::injector()?;
    let attach = ["attach", "--pid", &std::process::id().to_string(), "--for", "1s"].map(str::to_owned);
    let said = |wrapper: &[&str], words: &[&str]| -> Result<(i32, String)> {
        let output = Command::new(wrapper[0]).args(&wrapper[1..]).arg(&injector).args(words).output()?;
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok((output.status.code().unwrap_or(-1), said.concat()))
    };
    let with = |wrapper: &[&str], rule: &[&str]| {
        let words: Vec<_> = attach.iter().map(String::as_str).chain(rule.iter().copied()).collect();
        said(wrapper, &words)
    };
    let call = ["-e", "inject=read:error=EIO"];
    let bpf = libc::SYS_bpf.to_string();
    let forbidden = [victim::FORBID, bpf.as_str()];
    // A capability that is missing as well, and that is for something else.
    let less = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"];
    for wrapper in [forbidden.to_vec(), [&forbidden[..], &less[..]].concat()] {
        let (code, said) = with(&wrapper, &call)?;
        ensure!(code == 4 && said.contains("a seccomp filter blocks bpf(2)"), "{code}: {said}");
        ensure!(!said.contains("CAP_") && said.contains("seccomp=unconfined"), "{said}");
    }
    let less = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"];
    let (code, told) = with(&less, &["--net", "loss 10%"])?;
    ensure!(code == 4 && told.contains("this process lacks CAP_SYS_ADMIN\n"), "{code}: {told}");
    let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let (code, told) = said(&nobody, &["doctor"])?;
    ensure!(code == 4 && told.matches("lacks CAP_BPF, CAP_PERFMON\n").count() == 1, "{code}: {told}");
    ensure!(told.lines().count() == 3 && told.contains("do:      run it as root (sudo)"), "{told}");
    // Once in the verdict, once in the table.
    let (code, told) = said(&nobody, &["doctor", "-v"])?;
    ensure!(code == 4 && told.matches("lacks CAP_BPF, CAP_PERFMON\n").count() == 2, "{code}: {told}");
    // What would bring the right does not give way to what would bring the kernel's part.
    ensure!(told.contains("use a kernel") != Kernel::running()?.delays_at_hooks(), "{told}");
    let (code, told) = said(&nobody, &["ps"])?;
    ensure!(code == 4 && told.contains("lacks CAP_SYS_ADMIN\n"), "{code}: {told}");
    let (code, told) = with(&["unshare", "--user", "--map-root-user"], &call)?;
    ensure!(code == 4 && told.contains("user namespace") && !told.contains("CAP_"), "{code}: {told}");
    Ok(())
}

/// A container has no securityfs, so that nothing tells there which security modules are active, and whether the kernel
/// is locked down.
#[test]
fn without_securityfs_the_same_is_found() -> Result<()> {
    let script = format!("umount /sys/kernel/security; exec {} doctor --json", guest::injector()?.display());
    let output = Command::new("unshare").args(["--mount", "sh", "-c", &script]).output()?;
    let bare: Value = serde_json::from_slice(&output.stdout)?;
    let (all, _) = findings()?;
    let available = |all: &Value| -> Vec<(String, String)> {
        let findings = all["mechanisms"].as_array().into_iter().flatten();
        findings.map(|one| (one["mechanism"].to_string(), one["available"].to_string())).collect()
    };
    assert_eq!(available(&bare), available(&all));
    let active = fs::read_to_string("/sys/kernel/security/lsm")?.trim().split(',').any(|name| name == "bpf");
    let lsm = |all: &Value| available(all).contains(&("\"lsm\"".into(), active.to_string()));
    ensure!(lsm(&bare) && lsm(&all), "{all:#}");
    Ok(())
}

#[test]
fn a_table_for_a_person() -> Result<()> {
    let (_, found) = findings()?;
    let verdict = Injector::new(["doctor"])?.expect(0)?.stdout;
    ensure!(verdict.lines().count() == 3 && verdict.contains("can:     errors of operations"), "{verdict}");
    let limits = verdict.contains("of other calls, such as fsync");
    assert_eq!(limits, !Kernel::running()?.injects_calls(), "{verdict}");
    let finished = Injector::new(["doctor", "-v"])?.expect(0)?;
    ensure!(finished.stdout.starts_with(&verdict), "{}", finished.stdout);
    for (mechanism, finding) in found {
        let line = finished.stdout.lines().find(|line| line.split_whitespace().nth(1) == Some(&mechanism));
        let line = line.with_context(|| format!("no line on {mechanism}: {}", finished.stdout))?;
        let works = if finding["available"] == true { "yes" } else { "no" };
        ensure!(line.starts_with(works), "{line}");
        for text in ["why", "remedy"] {
            let Some(text) = finding[text].as_str() else { continue };
            ensure!(finished.stdout.contains(text.trim()), "`{text}` is missing: {}", finished.stdout);
        }
    }
    Ok(())
}

/// A rule that can be had is told by what; one that cannot, why, and what comes nearest.
#[test]
fn one_rule_at_a_time() -> Result<()> {
    let kernel = Kernel::running()?;
    let doctor = |rule: &str, code: i32| -> Result<String> {
        let finished =
            Injector::new(["doctor", "--rule", rule])?.expect(code).with_context(|| rule.to_owned())?;
        Ok(finished.stdout)
    };
    for (rule, way) in [
        ("io=write:error=EIO", "by:   hook at security_file_permission"),
        ("net=delay 10ms", "by:   delay_line"),
        ("process=pause", "by:   freezer"),
    ] {
        let said = doctor(rule, 0)?;
        ensure!(said.starts_with(&format!("yes  {rule}\n")) && said.contains(way), "{said}");
    }
    if kernel.injects_calls() {
        let said = doctor("inject=fsync:error=EIO", 0)?;
        ensure!(said.contains("by:   fmod_ret at "), "{said}");
        return Ok(());
    }
    let said = doctor("inject=fsync:error=EIO", 3)?;
    ensure!(said.starts_with("no   inject=fsync:error=EIO\n"), "{said}");
    ensure!(
        said.contains("--io 'write:error=EIO'") && said.contains("CONFIG_FUNCTION_ERROR_INJECTION"),
        "{said}"
    );
    // Ready to be typed.
    let rule = ["-e", "inject=fsync:delay_enter=20ms"];
    let refused =
        Injector::new(["run", "--seed", "7"])?.words(rule).command(&["sleep", "1 2"]).expect(125)?;
    let typed = "type: injector run --seed 7 --process 'pause:for=20ms:every=200ms' -- sleep '1 2'\n";
    ensure!(refused.stderr.contains(typed), "{}", refused.stderr);
    Ok(())
}

#[test]
fn a_machine_without_version_2_cgroups_and_without_type_information() -> Result<()> {
    let injector = guest::injector()?;
    let doctor = |preparation: &str| -> Result<(i32, String)> {
        let script = format!("{preparation}; exec {} doctor -v", injector.display());
        let output = Command::new("unshare").args(["--mount", "sh", "-c", &script]).output()?;
        Ok((output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    let (_, said) = doctor("umount /sys/fs/cgroup")?;
    ensure!(said.contains("no   cgroup2") && said.contains("mount -t cgroup2"), "{said}");
    // Without its types nothing can be done, and that is an error; but not this kernel's.
    let (code, said) = doctor("mount -t tmpfs none /sys/kernel/btf")?;
    let cause = "a file system (tmpfs) is mounted over it at /sys/kernel/btf";
    ensure!(code == 1 && said.contains("no   btf"), "{code}: {said}");
    // Once in the verdict, once in the table.
    ensure!(said.matches(cause).count() == 2 && !said.contains("CONFIG_"), "{said}");
    let (code, said) = doctor("mount -t tmpfs none /sys")?;
    ensure!(code == 1 && said.contains("(tmpfs) is mounted over it at /sys\n"), "{code}: {said}");
    Ok(())
}

#[test]
fn preemption_is_told() -> Result<()> {
    const MODE: &str = "/sys/kernel/debug/sched/preempt";
    let modes = fs::read_to_string(MODE)?;
    let before = modes.split(['(', ')']).nth(1).context("no mode in force")?.to_owned();
    let mut told = Vec::new();
    for mode in ["none", "full", "voluntary"] {
        fs::write(MODE, mode)?;
        told.push(findings()?.0["fully_preemptible"].as_bool());
    }
    fs::write(MODE, before)?;
    assert_eq!(told, [Some(false), Some(true), Some(false)]);
    Ok(())
}

/// The last of them by its name, since there is no way back from it but a reboot.
#[test]
fn zz_lockdown_is_told() -> Result<()> {
    const LEVEL: &str = "/sys/kernel/security/lockdown";
    if Kernel::running()? == Kernel::FaultInjection {
        ensure!(!Path::new(LEVEL).exists());
        eprintln!("SKIP zz_lockdown_is_told: this kernel is built without lockdown");
        return Ok(());
    }
    fs::write(LEVEL, "integrity")?;
    let (all, found) = findings()?;
    assert_eq!(all["lockdown"], "integrity");
    assert_eq!(found["hook"]["available"], true, "{all:#}");
    fs::write(LEVEL, "confidentiality")?;
    let finished = Injector::new(["doctor", "-v"])?.finish()?;
    ensure!(finished.stdout.contains("locked down: confidentiality"), "{}", finished.stdout);
    // Reading kernel memory is forbidden now, which the programs need: the doctor says so, and whoever
    // needs it hears the same.
    let refused = Injector::run("read:error=EIO")?.command(&["true"]).expect(125)?;
    ensure!(refused.stderr.contains("locked down (confidentiality)"), "{}", refused.stderr);
    let script = format!("umount /sys/kernel/security; exec {} doctor -v", guest::injector()?.display());
    let bare = Command::new("unshare").args(["--mount", "sh", "-c", &script]).output()?;
    let said = String::from_utf8_lossy(&bare.stdout);
    ensure!(said.contains("no   hook") && said.contains("locked down (confidentiality)"), "{said}");
    ensure!(finished.stdout.contains("locked down (confidentiality)"), "{}", finished.stdout);
    Ok(())
}
