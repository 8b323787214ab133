//! Making the places of a lab: folders, cgroups, network and names, before anything runs.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    experiment::{
        lab::{
            Lab, LabError, Member, RunPlace,
            addresses::{Addresses, hosts_file},
            cgroups::Cgroups,
            home::Home,
            mounts,
            order::waves,
            program::Program,
        },
        model::{self, Network},
        namespaces::Namespaces,
        variables::Variables,
        warden::Warden,
    },
    kernel::net::{BridgedNet, NetNs},
};

/// Longer ones are no host names.
const LONGEST_NAME: usize = 63;

/// What a lab's network comes to.
struct Net {
    hub: Option<Arc<NetNs>>,
    services: BTreeMap<String, (IpAddr, Option<Arc<NetNs>>)>,
    /// Empty for that of the machine.
    names: Arc<BTreeMap<String, IpAddr>>,
}

impl Lab {
    /// The lab without processes, and the programs that are to be started.
    pub(super) fn build(
        lab: &model::Lab,
        run: &RunPlace,
        variables: &Variables,
        warden: &Warden,
    ) -> Result<(Self, BTreeMap<String, Program>), LabError> {
        if let Some(name) = lab.services.keys().find(|name| !is_usable(name)) {
            return Err(LabError::Name(name.clone()));
        }
        let waves = waves(&lab.services)?;
        let folder = fs::canonicalize(&run.folder).map_err(|source| LabError::File {
            what: "find",
            path: run.folder.clone(),
            source,
        })?;
        make_folder(&folder.join("services"))?;
        make_folder(&folder.join("logs"))?;
        let net = Net::make(lab)?;
        let hosts = folder.join("services/lab.hosts");
        if net.hub.is_some() {
            fs::write(&hosts, hosts_file(&net.names))
                .and_then(|()| fs::set_permissions(&hosts, fs::Permissions::from_mode(0o644)))
                .map_err(|source| LabError::File { what: "write", path: hosts.clone(), source })?;
        }
        let cgroups = Cgroups::make(&run.name, lab.services.iter(), warden)?;
        let commands = Arc::new(cgroups.enter_commands()?);
        let namespaces = |network: Option<Arc<NetNs>>| -> Result<_, LabError> {
            let mounts = network.is_some().then(|| mounts::with_hosts(&hosts)).transpose()?;
            let (hosts, folder) = (net.names.clone(), run.origin.clone());
            Ok(Namespaces { network, mounts, hosts, folder, cgroup: Some(commands.clone()) })
        };
        let mut members = BTreeMap::new();
        for (name, (address, network)) in &net.services {
            let own = folder.join("services").join(name);
            make_folder(&own)?;
            variables.service(name, *address, &own);
            let home = Home {
                namespaces: namespaces(network.clone())?,
                cgroup: cgroups.service(name),
                address: *address,
                folder: own,
                log: folder.join("logs").join(name),
            };
            members.insert(name.clone(), Member { home, running: None });
        }
        let hub = namespaces(net.hub.clone())?;
        let mut programs = BTreeMap::new();
        for (name, service) in &lab.services {
            if let Some(member) = members.get(name) {
                let program = Program::new(name, service, member.home.clone(), variables)?;
                programs.insert(name.clone(), program);
            }
        }
        Ok((Self { hub, members, waves, cgroups }, programs))
    }
}

impl Net {
    fn make(lab: &model::Lab) -> Result<Self, LabError> {
        let Network::Private(network) = lab.network else {
            let own = |name: &String| (name.clone(), (Ipv4Addr::LOCALHOST.into(), None));
            let services = lab.services.keys().map(own).collect();
            return Ok(Self { hub: None, services, names: Arc::default() });
        };
        let addresses = Addresses::of(network, lab.services.keys())?;
        let mut bridged = BridgedNet::new(network, addresses.hub)?;
        let mut services = BTreeMap::new();
        for (name, &address) in &addresses.services {
            let member = Arc::new(bridged.join(address)?);
            services.insert(name.clone(), (address.into(), Some(member)));
        }
        let names = Arc::new(addresses.named());
        Ok(Self { hub: Some(Arc::new(bridged.into_hub())), services, names })
    }
}

fn make_folder(path: &Path) -> Result<(), LabError> {
    let failed = |source| LabError::File { what: "make", path: PathBuf::from(path), source };
    fs::create_dir_all(path).map_err(failed)
}

/// Host names and names of folders at once.
fn is_usable(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let ends = [name.bytes().next(), name.bytes().last()];
    name.len() <= LONGEST_NAME
        && name.bytes().all(inside)
        && ends.iter().all(|end| end.is_some_and(|byte| byte.is_ascii_alphanumeric()))
        && name != "localhost"
}

#[cfg(test)]
mod tests {
    use super::is_usable;

    #[test]
    fn names_that_can_be_host_names() {
        for good in ["web", "etcd1", "a", "shop-db", "x_y", "9", "hosts"] {
            assert!(is_usable(good), "{good}");
        }
        for bad in ["", "a b", "../x", ".", "a/b", "-x", "db.shop", "localhost", "x\n1.2.3.4 y", "é"] {
            assert!(!is_usable(bad), "{bad}");
        }
        assert!(!is_usable(&"x".repeat(64)));
    }
}
