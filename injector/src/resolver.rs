//! The step between the text of rules and a plan: host names become addresses, once, by the system's resolver
//! (getaddrinfo(3): /etc/hosts, DNS, whatever nsswitch.conf says). All addresses of a name count. A live plan keeps
//! what a name meant when it began, so a rule that goes on means the same.
//!
//! The resolver can take half a minute to answer. So it is asked by whoever wants the rules, and a live plan that is
//! to have them is told what was found.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, ToSocketAddrs},
};

use crate::spec::model::{Rule, RuleKind};

/// A name that means nothing.
#[derive(Debug, thiserror::Error)]
#[error("cannot find the host `{name}` of the rule `{rule}`: {source}")]
pub struct NameError {
    /// The name.
    pub name: String,
    /// The rule's text.
    pub rule: String,
    /// What the resolver says.
    pub source: io::Error,
}

impl NameError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        let name = &self.name;
        format!(
            "see what `getent ahosts {name}` says on this machine; or write the addresses in the rule, or \
             `--host {name}=ADDRESS` where the plan begins"
        )
    }
}

/// What was found for each name, in small letters, or why nothing was.
pub type Hosts = BTreeMap<String, Result<BTreeSet<IpAddr>, String>>;

/// Names that mean these addresses, whatever the system says. Capitals do not matter (RFC 4343).
pub type Table = BTreeMap<String, Vec<IpAddr>>;

/// Asks the system for the names in `rules` that are not in the `table`. That one is unknown is no error yet: a live plan
/// may know it.
pub fn look_up<'a>(rules: impl IntoIterator<Item = &'a Rule>, table: &Table) -> Hosts {
    let mut found = in_front(table, &Hosts::new());
    for rule in rules {
        let RuleKind::Net(net) = &rule.kind else { continue };
        for host in net.hosts() {
            let ask = || ask(&host.name).map_err(|error| error.to_string());
            found.entry(key(&host.name)).or_insert_with(ask);
        }
    }
    found
}

/// What was found with the `table` in front of it.
pub fn in_front(table: &Table, found: &Hosts) -> Hosts {
    let table = table.iter().map(|(name, addresses)| (key(name), Ok(addresses.iter().copied().collect())));
    found.clone().into_iter().chain(table).collect()
}

/// Fills in what the names in `rules` mean: those in `live` rules mean what they mean there, the others what was `found`.
///
/// # Errors
/// The first name that nobody knows.
pub fn resolve<'a>(
    rules: &mut [Rule],
    found: &Hosts,
    live: impl IntoIterator<Item = &'a RuleKind>,
) -> Result<(), NameError> {
    let mut known: BTreeMap<String, &BTreeSet<IpAddr>> = BTreeMap::new();
    for rule in live {
        if let RuleKind::Net(net) = rule {
            known.extend(net.hosts().map(|host| (key(&host.name), &host.addresses)));
        }
    }
    for Rule { text, kind } in rules {
        let RuleKind::Net(net) = kind else { continue };
        for host in net.hosts_mut() {
            let addresses = match (known.get(&key(&host.name)), found.get(&key(&host.name))) {
                (Some(known), _) => Ok(*known),
                (None, Some(Ok(found))) => Ok(found),
                (None, Some(Err(why))) => Err(why.as_str()),
                (None, None) => Err("nobody has looked it up"),
            };
            host.addresses = addresses.cloned().map_err(|why| NameError {
                name: host.name.clone(),
                rule: text.clone(),
                source: io::Error::other(why),
            })?;
        }
    }
    Ok(())
}

fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

fn ask(name: &str) -> io::Result<BTreeSet<IpAddr>> {
    let found: BTreeSet<_> = (name, 0).to_socket_addrs()?.map(|address| address.ip()).collect();
    if found.is_empty() { Err(io::Error::other("the name has no address")) } else { Ok(found) }
}

/// What the user ought to know: what each name means.
pub fn notes(rules: &[Rule]) -> impl Iterator<Item = String> {
    let hosts = rules.iter().filter_map(|rule| match &rule.kind {
        RuleKind::Net(net) => Some(net.hosts()),
        _ => None,
    });
    let names: BTreeMap<_, _> = hosts.flatten().map(|host| (&host.name, &host.addresses)).collect();
    names.into_iter().map(|(name, addresses)| {
        let all: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        format!("the host {name} is {} as long as the plan lives", all.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::net;

    fn addresses(rule: &Rule) -> Vec<IpAddr> {
        let RuleKind::Net(rule) = &rule.kind else { return Vec::new() };
        rule.hosts().flat_map(|host| host.addresses.clone()).collect()
    }

    fn resolve_all(rules: &mut [Rule]) -> Result<(), NameError> {
        resolve(rules, &look_up(&*rules, &Table::new()), [])
    }

    #[test]
    fn a_name_means_all_its_addresses() {
        let mut rules = vec![net("to localhost not to 10.0.0.1 : loss 1%").unwrap(), net("loss 1%").unwrap()];
        assert!(addresses(&rules[0]).is_empty());
        resolve_all(&mut rules).unwrap();
        let found = addresses(&rules[0]);
        assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
        let notes: Vec<_> = notes(&rules).collect();
        assert!(notes.len() == 1 && notes[0].contains(&found[0].to_string()), "{notes:?}");
    }

    #[test]
    fn a_table_stands_in_front_of_the_resolver() {
        let mut rules = vec![net("to localhost,db.invalid : loss 1%").unwrap()];
        let table = [("localhost", "10.0.0.1"), ("DB.invalid", "10.0.0.2")];
        let table: Table =
            table.iter().map(|&(name, address)| (name.to_owned(), vec![address.parse().unwrap()])).collect();
        resolve(&mut rules, &look_up(&[], &table), []).unwrap();
        assert_eq!(addresses(&rules[0]), ["10.0.0.1", "10.0.0.2"].map(|ip| ip.parse::<IpAddr>().unwrap()));
        let asked = look_up(&rules, &Table::new());
        assert!(asked["db.invalid"].is_err());
        assert_eq!(in_front(&table, &asked)["db.invalid"], Ok(["10.0.0.2".parse().unwrap()].into()));
    }

    /// RFC 6761, 6.4: `.invalid` never exists.
    #[test]
    fn a_name_that_is_not_there_is_named() {
        let text = "tcp not to localhost,nosuch.invalid : loss 1%";
        let error = resolve_all(&mut [net(text).unwrap()]).unwrap_err();
        assert_eq!((error.name.as_str(), error.rule.as_str()), ("nosuch.invalid", text));
        assert!(error.hint().contains("getent ahosts nosuch.invalid"));
    }
}
