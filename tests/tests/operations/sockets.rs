//! Operations of sockets, chosen by their peer and by their port.

use anyhow::{Result, ensure};
use injector_tests::victim;

use crate::under;

/// Connects to each of `addresses` and prints `ADDRESS ERRNO` each; nobody listens there.
fn connecting(addresses: &[&str]) -> String {
    let list = addresses.join(" ");
    format!(
        "use Socket qw(:all); for (qw({list})) {{ ($a, $p) = /^(.*):(\\d+)$/; \
         if ($a =~ /:/) {{ socket($s, PF_INET6, SOCK_STREAM, 0); $to = pack_sockaddr_in6($p, inet_pton(AF_INET6, $a)) }} \
         else {{ socket($s, PF_INET, SOCK_STREAM, 0); $to = pack_sockaddr_in($p, inet_aton($a)) }} \
         $! = 0; connect($s, $to); print qq($_ ), $!+0, qq(\\n) }}"
    )
}

#[test]
fn a_connection_fails_by_peer_and_port() -> Result<()> {
    let refused = libc::ECONNREFUSED;
    let fault = libc::ETIMEDOUT;
    let addresses = ["127.0.0.1:81", "127.0.0.1:82", "127.0.1.1:81"];
    let cases = [
        ("connect:error=ETIMEDOUT:peer=127.0.0.1", [fault, fault, refused]),
        ("connect:error=ETIMEDOUT:peer=127.0.0.0/24:port=80-81", [fault, refused, refused]),
        ("connect:error=ETIMEDOUT:port=81", [fault, refused, fault]),
        ("connect:error=ETIMEDOUT:peer=[::/0]", [refused; 3]),
        ("connect:error=ETIMEDOUT", [fault; 3]),
    ];
    let folder = victim::folder()?;
    for (rule, expected) in cases {
        let finished = under(&[rule], &["perl", "-e", &connecting(&addresses)], folder.path())?.expect(0)?;
        let expected: Vec<_> =
            addresses.iter().zip(expected).map(|(address, errno)| format!("{address} {errno}")).collect();
        assert_eq!(finished.stdout.lines().collect::<Vec<_>>(), expected, "{rule}");
        for line in &finished.log {
            ensure!(line["operation"] == "connect" && line["peer_port"].is_number(), "{line:#}");
        }
    }
    Ok(())
}

#[test]
fn what_a_server_does_fails_by_its_own_port() -> Result<()> {
    let script = "$|=1; use Socket; socket($s, PF_INET, SOCK_STREAM, 0); setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1); \
                  bind($s, pack_sockaddr_in(PORT, INADDR_LOOPBACK)) or print qq(bind\\n); \
                  listen($s, 1) or print qq(listen\\n); \
                  socket($c, PF_INET, SOCK_STREAM, 0); \
                  connect($c, pack_sockaddr_in(PORT, INADDR_LOOPBACK)) or exit; \
                  accept($a, $s) or print qq(accept\\n); \
                  defined send($c, q(x), 0) or print qq(send\\n); \
                  defined syswrite($c, q(y)) or print qq(write\\n); \
                  defined recv($a, $b, 1, 0) or print qq(recv\\n);";
    let folder = victim::folder()?;
    for operation in ["bind", "listen", "accept", "send", "recv"] {
        let rule = format!("{operation}:error=ENOBUFS:port=7001:times=1");
        for (port, fails) in [("7001", true), ("7002", false)] {
            let words = ["timeout", "30", "perl", "-e", &script.replace("PORT", port)];
            let finished = under(&[&rule], &words, folder.path())?;
            let said = finished.stdout.lines().next().unwrap_or_default();
            assert_eq!(said == operation, fails, "{rule} at {port}: {} {}", finished.stdout, finished.stderr);
            assert_eq!(finished.report()?.rules[0].fired, u64::from(fails), "{rule} at {port}");
        }
    }
    Ok(())
}
