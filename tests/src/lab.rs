//! Labs for the tests of experiments, and what they are made of.

use std::{collections::BTreeMap, path::Path, time::Duration};

use injector::experiment::{
    lab::RunPlace,
    model::{
        CommandLine, Lab, Limits, Located, Network, Place, Ready, ReadyCheck, Restart, Service, Template,
    },
};

/// A service that is a line for the shell, with nothing asked of it.
pub fn service(line: &str) -> Service {
    Service {
        command: CommandLine::Shell(Template::new(line)),
        environment: BTreeMap::new(),
        user: None,
        files: BTreeMap::new(),
        after: Vec::new(),
        ready: None,
        restart: Restart::Never,
        restart_after: Duration::from_millis(50),
        stop_within: Duration::from_secs(2),
        limits: Limits::default(),
    }
}

/// The same that is ready when `check` holds.
pub fn ready_when(check: ReadyCheck, service: Service) -> Service {
    Service { ready: Some(Ready { check, within: Duration::from_secs(20) }), ..service }
}

/// A web server at the service's address that says who it is.
pub fn web_server() -> Service {
    let page = Template::new("I am ${self} at ${address}\n");
    Service {
        files: BTreeMap::from([("www/index.html".into(), page)]),
        ..service("exec busybox httpd -f -p ${address}:8080 -h ${dir}/www")
    }
}

/// A port of the service's own.
pub fn port(number: u16) -> ReadyCheck {
    ReadyCheck::Tcp(Template::new(&number.to_string()))
}

/// A private network with these in it.
pub fn lab<const COUNT: usize>(services: [(&str, Service); COUNT]) -> Lab {
    Lab {
        network: Network::Private(ipnet("10.77.0.0/24")),
        services: services.into_iter().map(|(name, service)| (name.to_owned(), service)).collect(),
        prepare: Vec::new(),
    }
}

fn ipnet(text: &str) -> ipnet::Ipv4Net {
    text.parse().unwrap_or_default()
}

/// A value of a file, from nowhere in it.
pub fn located<T>(value: T) -> Located<T> {
    Located { value, place: Place { line: 1, column: 1 } }
}

/// The place of a run in `folder`.
pub fn place(folder: &Path) -> RunPlace {
    RunPlace { folder: folder.to_path_buf(), name: "a-test".into(), origin: folder.to_path_buf() }
}
