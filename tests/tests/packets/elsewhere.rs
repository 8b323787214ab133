//! Sockets that a target's processes brought along from other cgroups: `attach` says so where there are any, and
//! nowhere else.

use std::{
    fs,
    process::{Child, Command},
    time::Duration,
};

use anyhow::{Result, ensure};
use injector_tests::{
    cgroup::{Scratch, move_into},
    patience,
};

use crate::attach;

/// A process with a socket, once it has one.
fn holder(start: impl FnOnce(&mut Command) -> Result<Child>, socket: &str) -> Result<Child> {
    let mut command = Command::new("bash");
    let child = start(command.args(["-c", &format!("exec 3<>{socket}; exec sleep 1000")]))?;
    let comm = format!("/proc/{}/comm", child.id());
    patience::until("a process with a socket", Duration::from_secs(10), || {
        Ok(fs::read_to_string(&comm)? == "sleep\n")
    })?;
    Ok(child)
}

fn told(target: &Scratch) -> Result<String> {
    Ok(attach(target.path(), &["udp : loss 1%"])?.interrupt()?.expect(0)?.stderr)
}

#[test]
fn only_a_socket_from_elsewhere_is_told() -> Result<()> {
    const NOTE: &str = "made in other cgroups (1 descriptor)";
    const SOCKET: &str = "/dev/udp/127.0.0.1/9";
    let (own, brought, none) = (Scratch::new()?, Scratch::new()?, Scratch::new()?);
    // Killed with their cgroups.
    holder(|command| own.spawn(command), SOCKET)?;
    let other = holder(|command| Ok(command.spawn()?), SOCKET)?;
    move_into(brought.path(), other.id())?;
    let file = holder(|command| Ok(command.spawn()?), "/dev/null")?;
    move_into(none.path(), file.id())?;
    for quiet in [&own, &none] {
        let told = told(quiet)?;
        ensure!(!told.contains("other cgroup"), "{told}");
    }
    let told = told(&brought)?;
    ensure!(told.contains(NOTE), "{told}");
    Ok(())
}
