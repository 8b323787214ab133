//! The lab and the targets.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    time::Duration,
};

use ipnet::Ipv4Net;

use crate::experiment::{
    file::{
        cause::Cause,
        form::{LabForm, LimitsForm, Placed, ReadyForm, RestartForm, ServiceForm, TargetForm, Text, TextOr},
        meaning::reader::{Names, Reader, refusal},
    },
    model::{Lab, Limits, Network, Ready, ReadyCheck, Restart, Service, TargetChoice},
};

/// The addresses of a lab.
const ADDRESSES: Ipv4Net = Ipv4Net::new_assert(std::net::Ipv4Addr::new(10, 77, 0, 0), 24);
const READY_WITHIN: Duration = Duration::from_secs(30);
const RESTART_AFTER: Duration = Duration::from_secs(1);
const STOP_WITHIN: Duration = Duration::from_secs(5);

const RESTARTS: [(&str, Restart); 3] =
    [("never", Restart::Never), ("on-failure", Restart::OnFailure), ("always", Restart::Always)];

impl Reader<'_> {
    pub(super) fn lab(&mut self, form: &LabForm) -> Lab {
        let network = form.network.as_ref().and_then(|text| self.network(text));
        let prepare = form.prepare.iter().filter_map(|action| self.action(action, Names::Lab)).collect();
        self.order(form);
        let services = form.services.iter().map(|(name, form)| {
            self.here = name.place;
            (self.given_name(name), self.service_form(form))
        });
        Lab { services: services.collect(), network: network.unwrap_or(Network::Private(ADDRESSES)), prepare }
    }

    /// Services that wait for each other never start. Each round of them is told once, at the first in the file.
    fn order(&mut self, form: &LabForm) {
        let mut told = BTreeSet::new();
        for start in form.services.keys() {
            let Some(round) =
                round(form, start).filter(|round| round.iter().all(|name| !told.contains(name)))
            else {
                continue;
            };
            let names: Vec<_> = round.iter().map(|name| format!("`{}`", name.value)).collect();
            told.extend(round);
            let message = format!("no service of this round can be the first: {}", names.join(" after "));
            let hint = "leave one of their `after` out".to_owned();
            self.wrong(start, Cause::Senseless { message, hint });
        }
    }

    fn network(&mut self, text: &Text) -> Option<Network> {
        self.parsed(text, |text| {
            if text == "host" {
                return Ok(Network::Host);
            }
            let wrong = |hint: &str| {
                let (text, hint) = (text.to_owned(), hint.to_owned());
                refusal(None, Cause::Value { text, what: "network of a lab", hint })
            };
            let net: Ipv4Net = text
                .parse()
                .map_err(|_| wrong("write `host`, or the addresses of a network, such as 10.77.0.0/24"))?;
            if net.trunc() != net {
                return Err(wrong(&format!(
                    "write {}: what stands behind the prefix has to be zero",
                    net.trunc()
                )));
            }
            if !(8..=29).contains(&net.prefix_len()) {
                return Err(wrong("its prefix is to be from /8 to /29, so that services fit in"));
            }
            Ok(Network::Private(net))
        })
    }

    fn service_form(&mut self, form: &ServiceForm) -> Service {
        let names = Names::Service;
        let environment =
            form.env.iter().map(|(name, value)| (name.value.clone(), self.template(value, names))).collect();
        let files =
            form.files.iter().map(|(path, content)| (self.path_inside(path), self.template(content, names)));
        let files = files.collect();
        let (restart, restart_after) = match &form.restart {
            None => (None, None),
            Some(TextOr::Text(when)) => (self.word(when, "way to restart", &RESTARTS), None),
            Some(TextOr::Table(RestartForm { when, after })) => (
                self.word(when, "way to restart", &RESTARTS),
                after.as_ref().and_then(|time| self.duration(time)),
            ),
        };
        Service {
            command: self.command(&form.run, names),
            environment,
            user: form.user.as_ref().map(|user| self.string(user)),
            files,
            after: form.after.iter().filter_map(|name| self.service(name)).collect(),
            ready: form.ready.as_ref().and_then(|ready| self.ready(ready)),
            restart: restart.unwrap_or_default(),
            restart_after: restart_after.unwrap_or(RESTART_AFTER),
            stop_within: self.duration_or(form.stop.as_ref(), STOP_WITHIN),
            limits: form.limits.as_ref().map(|limits| self.limits(limits)).unwrap_or_default(),
        }
    }

    /// A path below the folder of a service.
    fn path_inside(&mut self, text: &Text) -> PathBuf {
        let path = PathBuf::from(self.string(text));
        let inside = |part| matches!(part, std::path::Component::Normal(_));
        if path.as_os_str().is_empty() || !path.components().all(inside) {
            let hint = "write a path below the folder of the service, without `/` in front and without `..`"
                .to_owned();
            self.wrong(
                text,
                Cause::Value { text: text.value.clone(), what: "path of a service's file", hint },
            );
        }
        path
    }

    fn ready(&mut self, form: &Placed<ReadyForm>) -> Option<Ready> {
        let ReadyForm { tcp, http, command, log, within } = &form.value;
        let keys = [
            ("tcp", tcp.is_some()),
            ("http", http.is_some()),
            ("command", command.is_some()),
            ("log", log.is_some()),
        ];
        let within = self.duration_or(within.as_ref(), READY_WITHIN);
        if !self.exactly_one(form.place, "`ready`", &keys) {
            return None;
        }
        let names = Names::Service;
        let check = match (tcp, http, command, log) {
            (Some(port), ..) => ReadyCheck::Tcp(self.port_or_address(port, names)),
            (_, Some(http), ..) => ReadyCheck::Http(self.request(http, names)),
            (_, _, Some(command), _) => ReadyCheck::Command(self.command(command, names)),
            (.., Some(log)) => ReadyCheck::Log(self.regex(log)?),
            _ => return None,
        };
        Some(Ready { check, within })
    }

    /// `6379` or `HOST:PORT`.
    fn port_or_address(&mut self, text: &Text, names: Names) -> crate::experiment::model::Template {
        if let Ok(filled) = self.filled(text, names, |_| "1".to_owned())
            && !is_port(filled.text.rsplit_once(':').map_or(filled.text.as_str(), |(_, port)| port))
        {
            let hint = "write a port of the service, such as \"6379\", or HOST:PORT".to_owned();
            let cause = Cause::Value { text: filled.text.clone(), what: "port", hint };
            self.wrong_in(text, &filled, 0..filled.text.len(), cause);
        }
        self.template(text, names)
    }

    /// `HOST:PORT`.
    pub(super) fn address(&mut self, text: &Text, names: Names) -> crate::experiment::model::Template {
        if let Ok(filled) = self.filled(text, names, |_| "1".to_owned())
            && !filled.text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && is_port(port))
        {
            let hint = "write HOST:PORT, such as db:5432".to_owned();
            let cause = Cause::Value { text: filled.text.clone(), what: "address to connect to", hint };
            self.wrong_in(text, &filled, 0..filled.text.len(), cause);
        }
        self.template(text, names)
    }

    fn limits(&mut self, form: &LimitsForm) -> Limits {
        Limits {
            memory: form.memory.as_ref().and_then(|text| self.size(text)),
            cpu: form.cpu.as_ref().and_then(|text| self.processors(text)),
            pids: form.pids.map(|pids| pids.value),
        }
    }

    /// Something that runs already.
    pub(super) fn target(&mut self, name: &Text, form: &TargetForm) -> Option<TargetChoice> {
        let TargetForm { cgroup, pid, pidfile, unit, container, command, services } = form;
        let keys = [
            ("cgroup", cgroup.is_some()),
            ("pid", pid.is_some()),
            ("pidfile", pidfile.is_some()),
            ("unit", unit.is_some()),
            ("container", container.is_some()),
            ("command", command.is_some()),
            ("services", services.is_some()),
        ];
        if !self.exactly_one(name.place, "a target", &keys) {
            return None;
        }
        if let Some(services) = services {
            return Some(TargetChoice::Services(
                services.iter().filter_map(|name| self.service(name)).collect(),
            ));
        }
        if let Some(pid) = pid {
            return match u32::try_from(pid.value) {
                Ok(number) if number > 0 => Some(TargetChoice::Process(number)),
                _ => {
                    let hint = "write the number of a process that runs".to_owned();
                    let cause = Cause::Value { text: pid.value.to_string(), what: "process", hint };
                    self.wrong_at(pid.place, cause);
                    None
                }
            };
        }
        if let Some(command) = command {
            return Some(TargetChoice::Command(self.template(command, Names::Lab)));
        }
        let text = cgroup.as_ref().or(pidfile.as_ref()).or(unit.as_ref()).or(container.as_ref())?;
        let value = self.string(text);
        if value.is_empty() {
            self.wrong(text, Cause::Empty("target"));
        }
        Some(match (cgroup, pidfile, unit) {
            (Some(_), ..) => TargetChoice::Cgroup(value),
            (_, Some(_), _) => TargetChoice::PidFile(value.into()),
            (.., Some(_)) => TargetChoice::Unit(value),
            _ => TargetChoice::Container(value),
        })
    }
}

/// The shortest way from a service back to itself by `after`.
fn round<'a>(form: &'a LabForm, start: &'a Text) -> Option<Vec<&'a Text>> {
    let mut from: BTreeMap<&Text, Option<&Text>> = [(start, None)].into();
    let mut open = VecDeque::from([start]);
    while let Some(name) = open.pop_front() {
        for next in form.services.get(name).into_iter().flat_map(|service| &service.after) {
            if next == start {
                // Backwards: from the one that waits for `start` to the one that `start` waits for.
                let mut way: Vec<&Text> = vec![start];
                let mut at = Some(name).filter(|name| *name != start);
                while let Some(name) = at {
                    way.push(name);
                    at = from.get(name).copied().flatten().filter(|name| *name != start);
                }
                way.push(start);
                way.reverse();
                return Some(way);
            }
            if !from.contains_key(next) {
                from.insert(next, Some(name));
                open.push_back(next);
            }
        }
    }
    None
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}
