//! The SSH session that the injector was started from. sshd tells the shell by a variable, which sudo takes away
//! but cannot take from the shell above it.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use crate::target::procfs::Procfs;

/// What sshd sets: the client's address and port, and the server's (ssh(1), ENVIRONMENT).
const VARIABLE: &str = "SSH_CONNECTION";

/// A connection to the machine's sshd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whoever has logged in.
    pub client: SocketAddr,
    /// This machine.
    pub server: SocketAddr,
}

impl Session {
    /// That of process `pid`, by its own environment as it began or by the nearest one above that has one.
    pub fn of(pid: u32, procfs: &Procfs) -> Option<Self> {
        let mut pid = pid;
        // Pids can be given out anew while we walk: no tree is that deep.
        for _ in 0..1024 {
            if let Some(session) = procfs.environment(pid, VARIABLE).ok().flatten().as_deref().and_then(parse)
            {
                return Some(session);
            }
            pid = procfs.stat(pid).ok().map(|stat| stat.parent).filter(|&parent| parent > 1)?;
        }
        None
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.client, self.server)
    }
}

fn parse(text: &str) -> Option<Session> {
    let mut words = text.split_ascii_whitespace();
    let mut end = || {
        // A link-local address has its device behind it, which packets do not.
        let address: IpAddr = words.next()?.split('%').next()?.parse().ok()?;
        Some(SocketAddr::new(address, words.next()?.parse().ok()?))
    };
    Some(Session { client: end()?, server: end()? })
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn process(root: &Path, pid: u32, parent: u32, environment: &str) {
        let folder = root.join(pid.to_string());
        fs::create_dir_all(&folder).unwrap();
        let tail = "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 77 0 0";
        fs::write(folder.join("stat"), format!("{pid} (a) b) S {parent} {tail}")).unwrap();
        fs::write(folder.join("environ"), environment).unwrap();
    }

    #[test]
    fn the_nearest_above() {
        let root = std::env::temp_dir().join(format!("injector-session-{}", std::process::id()));
        process(&root, 10, 1, "A=1\0SSH_CONNECTION=192.0.2.1 1 192.0.2.2 22\0");
        process(&root, 20, 10, "XSSH_CONNECTION=1\0SSH_CONNECTION=fe80::1%eth0 50000 2001:db8::2 22\0");
        process(&root, 30, 20, "SUDO_USER=me\0");
        process(&root, 40, 1, "SSH_CONNECTION=nonsense\0");
        let procfs = Procfs::at(&root);
        let of = |pid| Session::of(pid, &procfs).map(|session| session.to_string());
        assert_eq!(of(10).as_deref(), Some("192.0.2.1:1 to 192.0.2.2:22"));
        assert_eq!(of(30).as_deref(), Some("[fe80::1]:50000 to [2001:db8::2]:22"));
        assert_eq!((of(40), of(50)), (None, None));
        fs::remove_dir_all(&root).unwrap();
    }
}
