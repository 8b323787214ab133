//! Three members of etcd whose leader is cut off. That nothing comes out of the cut is counted by nftables in the network
//! namespaces of the other two, too.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use injector::experiment::{journal::Phase, judge::Truth};
use injector_tests::{
    network::sh,
    patience::{LONG, until},
};

use super::{Trial, controls, example};

/// Slow enough for an emulated machine, which three members alone keep busy.
const COMMON: [(&str, &str); 6] = [
    ("rate", "20/m"),
    ("heartbeat", "400"),
    ("election", "4000"),
    ("outage", "20s"),
    ("cut", "30s"),
    ("errors", "90%"),
];

#[test]
fn a_cluster_goes_on_without_its_leader() -> Result<()> {
    let [held, not_held, watched] = controls("etcd-leader.yaml", &COMMON, &[("election", "50000")])?;
    for ended in [&held, &not_held] {
        ensure!(ended.fired("leader-cut") > 0);
    }
    let captured = |name: &str| held.report.captured.get(name).cloned().context("no such name");
    ensure!(captured("leader")? != captured("new-leader")?, "{:?}", held.report.captured);
    let same = &watched.report.captured;
    ensure!(same["leader"] == same["new-leader"] && watched.fired("leader-cut") == 0, "{same:?}");
    ensure!(held.condition("lost value")?.measured == Some(0.0));
    ensure!(held.figures("writes", Phase::During)?.good > 0);
    ensure!(not_held.condition("writes outage")?.truth == Truth::False);
    Ok(())
}

/// A member of the cluster.
struct Member {
    name: String,
    pid: String,
    address: String,
}

/// All of them, by their command lines.
fn members() -> Result<Vec<Member>> {
    let mut members = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let pid = entry?.file_name().to_string_lossy().into_owned();
        let Ok(line) = fs::read_to_string(format!("/proc/{pid}/cmdline")) else { continue };
        let words: Vec<_> = line.split('\0').collect();
        let behind = |option: &str| {
            let at = words.iter().position(|word| *word == option)?;
            words.get(at + 1).map(|word| (*word).to_owned())
        };
        let (Some(name), Some(url)) = (behind("--name"), behind("--listen-peer-urls")) else { continue };
        let address = url.trim_start_matches("http://").trim_end_matches(":2380").to_owned();
        members.push(Member { name, pid, address });
    }
    Ok(members)
}

impl Member {
    /// Counts from now on what comes from each of these addresses, before anybody of the injector sees it.
    fn count(&self, from: &[&Member]) -> Result<()> {
        let rules = from
            .iter()
            .map(|other| format!("ip saddr {} counter comment \"{}\";", other.address, other.name));
        let rules: String = rules.collect();
        let chain =
            format!("table ip watch {{ chain seen {{ type filter hook prerouting priority 0; {rules} }}; }}");
        let done = Command::new("nsenter").args(["--net", "-t", &self.pid, "nft", &chain]).status()?;
        ensure!(done.success(), "{chain}");
        Ok(())
    }

    /// How many packets have come from it.
    fn counted(&self, from: &Member) -> Result<u64> {
        let list = sh(&format!("nsenter --net -t {} nft list table ip watch", self.pid))?;
        let line = list.lines().find(|line| line.contains(&format!("saddr {} ", from.address)));
        let number = line.and_then(|line| line.split("packets ").nth(1)?.split(' ').next()?.parse().ok());
        number.with_context(|| format!("nothing about {} in {list}", from.name))
    }
}

#[test]
fn nothing_comes_out_of_the_cut() -> Result<()> {
    let mut trial = Trial::start(&example("etcd-leader.yaml"), &COMMON, &[])?;
    until("the cut", LONG * 3, || {
        if trial.running.has_ended()? {
            bail!("the run has ended");
        }
        Ok(trial.running.stderr().contains("leader-cut acts"))
    })
    .with_context(|| trial.running.stderr())?;
    let start = Instant::now();
    let said = trial.running.stderr();
    let leader = said.lines().find_map(|line| line.split_once("leader = ").map(|found| found.1.trim()));
    let leader = leader.with_context(|| said.clone())?.to_owned();
    let members = members()?;
    let alone = members.iter().find(|member| member.name == leader).context("where is the leader?")?;
    let others: Vec<_> = members.iter().filter(|member| member.name != leader).collect();
    let [one, two] = others[..] else { bail!("{} members", members.len()) };
    one.count(&[alone, two])?;
    two.count(&[alone, one])?;
    alone.count(&[one, two])?;
    thread::sleep(Duration::from_secs(5));
    let cut = [one.counted(alone)?, two.counted(alone)?];
    let (between, towards) = (one.counted(two)?, alone.counted(one)? + alone.counted(two)?);
    ensure!(!trial.running.stderr().contains("recovery:"), "it took {:?}", start.elapsed());
    eprintln!("from {leader}: {cut:?}; between the others {between}; towards it, and not taken: {towards}");
    ensure!(cut == [0, 0] && between > 0);
    // The same counters do count once the cut is over.
    until("packets from the old leader", LONG, || Ok(one.counted(alone)? > 0 && two.counted(alone)? > 0))?;
    trial.finish()?.expect(0)?;
    Ok(())
}
