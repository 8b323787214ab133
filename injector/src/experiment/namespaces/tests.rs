//! Names and addresses of hosts.

use std::{net::IpAddr, sync::Arc};

use super::*;
use crate::experiment::failure::Failure;

#[tokio::test]
async fn the_names_of_the_lab_go_before_all_others() {
    let etcd = IpAddr::from([10, 77, 0, 2]);
    let hosts = Arc::new(BTreeMap::from([("etcd1".to_owned(), etcd), ("localhost".to_owned(), etcd)]));
    let place = Namespaces { hosts, ..Namespaces::default() }.enter().unwrap();
    for (host, expected) in [
        ("etcd1", Ok(vec![etcd])),
        ("ETCD1", Ok(vec![etcd])),
        ("localhost", Ok(vec![etcd])),
        ("127.0.0.2", Ok(vec![IpAddr::from([127, 0, 0, 2])])),
        ("[::1]", Ok(vec![IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])])),
        (&"a".repeat(300), Err(Failure::NameNotFound)),
    ] {
        assert_eq!(place.addresses(host).await, expected, "{host}");
    }
}

#[test]
fn hosts_and_ports() {
    assert_eq!(host_and_port("redis:6379"), Ok(("redis", 6379)));
    assert_eq!(host_and_port("[::1]:80"), Ok(("[::1]", 80)));
    for text in ["redis", ":80", "redis:", "redis:x", "redis:70000", ""] {
        let failure = host_and_port(text).unwrap_err();
        assert_eq!(failure.to_string(), format!("`{text}` is no HOST:PORT"));
    }
}
