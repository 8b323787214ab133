//! `lab_runner FOLDER [CGROUP]`: runs a lab as the runner of experiments does, with its folder at FOLDER, until its standard
//! input ends. It freezes CGROUP and limits its processes, if there is one. It says `running` when all is done.

use std::{
    error::Error,
    fs,
    io::{Read as _, Write as _, stdin, stdout},
    path::PathBuf,
};

use injector::experiment::{
    journal::Undo,
    lab::Lab,
    variables::Variables,
    warden::{Warden, take_lock},
};
use injector_tests::lab::{lab, place, port, ready_when, service, web_server};

fn main() -> Result<(), Box<dyn Error>> {
    let warden = Warden::start()?;
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let folder = arguments.next().ok_or("no folder")?;
    let _lock = take_lock(&folder)?.ok_or("somebody has it")?;
    warden.journal(&folder)?;
    if let Some(cgroup) = arguments.next() {
        let limit = cgroup.join("pids.max");
        warden.will(&Undo::Write { file: limit.clone(), content: "max".into() })?;
        fs::write(limit, "7")?;
        warden.will(&Undo::Thaw(cgroup.clone()))?;
        fs::write(cgroup.join("cgroup.freeze"), "1")?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
    let left = runtime.block_on(async {
        let (events, _) = tokio::sync::mpsc::unbounded_channel();
        // One of them has a child that leaves its session.
        let forking = service("setsid sleep 1000 & exec sleep 1000");
        let services = [
            ("db", ready_when(port(8080), web_server())),
            ("forking", forking),
            ("stubborn", service("trap '' TERM HUP; while :; do sleep 1; done")),
        ];
        let variables = Variables::new("a-test", 1);
        let lab = Lab::start(&lab(services), &place(&folder), &variables, &warden, events).await?;
        writeln!(stdout(), "running")?;
        tokio::task::spawn_blocking(|| stdin().read_to_end(&mut Vec::new())).await??;
        Ok::<_, Box<dyn Error>>(lab.stop().await)
    })?;
    writeln!(stdout(), "left {left:?} {:?}", warden.finish())?;
    Ok(())
}
