//! The step between the text of rules and a plan: host names become addresses, once, by the system's resolver
//! (getaddrinfo(3): /etc/hosts, DNS, whatever nsswitch.conf says). All addresses of a name count. A live plan keeps
//! what a name meant when it began, so a rule that goes on means the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, ToSocketAddrs},
};

use crate::{
    plan::Plan,
    spec::model::{Rule, RuleKind},
};

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
        format!("see what `getent ahosts {}` says on this machine, or write the addresses", self.name)
    }
}

/// Fills in what the names in `rules` mean; those that a `live` plan has mean what they mean there.
///
/// # Errors
/// The first name that the resolver does not know, or cannot find out about.
pub fn resolve(rules: &mut [Rule], live: Option<&Plan>) -> Result<(), NameError> {
    let mut known: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    for rule in live.into_iter().flat_map(|plan| &plan.rules) {
        if let RuleKind::Net(net) = &rule.asked {
            known.extend(net.hosts().map(|host| (host.name.clone(), host.addresses.clone())));
        }
    }
    for Rule { text, kind } in rules {
        let RuleKind::Net(net) = kind else { continue };
        for host in net.hosts_mut() {
            if !known.contains_key(&host.name) {
                let found = look_up(&host.name).map_err(|source| NameError {
                    name: host.name.clone(),
                    rule: text.clone(),
                    source,
                })?;
                known.insert(host.name.clone(), found);
            }
            host.addresses.clone_from(&known[&host.name]);
        }
    }
    Ok(())
}

fn look_up(name: &str) -> io::Result<BTreeSet<IpAddr>> {
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

    #[test]
    fn a_name_means_all_its_addresses() {
        let mut rules = vec![net("to localhost not to 10.0.0.1 : loss 1%").unwrap(), net("loss 1%").unwrap()];
        assert!(addresses(&rules[0]).is_empty());
        resolve(&mut rules, None).unwrap();
        let found = addresses(&rules[0]);
        assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
        let notes: Vec<_> = notes(&rules).collect();
        assert!(notes.len() == 1 && notes[0].contains(&found[0].to_string()), "{notes:?}");
    }

    /// RFC 6761, 6.4: `.invalid` never exists.
    #[test]
    fn a_name_that_is_not_there_is_named() {
        let text = "tcp not to localhost,nosuch.invalid : loss 1%";
        let error = resolve(&mut [net(text).unwrap()], None).unwrap_err();
        assert_eq!((error.name.as_str(), error.rule.as_str()), ("nosuch.invalid", text));
        assert!(error.hint().contains("getent ahosts nosuch.invalid"));
    }
}
