//! Recipes for stock kernels, on Debian's 6.12.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::Result;
use injector_tests::{
    network::sh,
    patience::{LONG, until},
};

use crate::trial::{self, End, Trial};

pub(crate) const TRIALS: [Trial; 16] = [
    Trial {
        symptom: "Disk full",
        program: "sqlite3 full 'create table t (a)'; echo ready; read go; ! sqlite3 full 'insert into t values (1)'",
        says: &["database or disk is full"],
        end: End::Good,
    },
    Trial {
        symptom: "Read error",
        program: "sqlite3 bad 'create table t (a)'; echo ready; read go; ! cat bad; ! sqlite3 bad 'select a from t'",
        says: &["Input/output error", "disk I/O error"],
        end: End::Good,
    },
    Trial {
        symptom: "The fifth write fails",
        program: r#"echo ready; read go; for n in 1 2 3 4 5 6; do echo $n; done >lines
            [ "$(tr -d '\n' <lines)" = 12346 ]"#,
        says: &["I/O error"],
        end: End::Good,
    },
    Trial {
        symptom: "Slow file system",
        program: r#"touch slow; exec perl -MTime::HiRes=time -e '
            syswrite STDOUT, "ready\n"; <STDIN>; $start = time;
            open $file, "<", "slow" or exit 2; exit(time - $start < 0.5)'"#,
        says: &[],
        end: End::Good,
    },
    Trial {
        symptom: "Hanging file system",
        program: "touch hanging; echo ready; read go; cat hanging",
        says: &[],
        end: End::AfterThePlan,
    },
    Trial {
        symptom: "Out of file descriptors",
        program: "touch open; echo ready; read go; ! read line <open",
        says: &["Too many open files"],
        end: End::Good,
    },
    Trial {
        symptom: "Out of memory",
        program: r#"redis-server --port 6379 --save '' --logfile memory --daemonize yes
            exec perl -MIO::Socket::INET -e '
            sleep 1 until $redis = IO::Socket::INET->new("127.0.0.1:6379"); syswrite STDOUT, "ready\n"; <STDIN>;
            syswrite $redis, "*3\r\n\$3\r\nSET\r\n\$3\r\nkey\r\n\$30000000\r\n";
            until (@said) { sleep 1; open $log, "<", "memory"; @said = grep /Out Of Memory/, <$log> }
            print @said'"#,
        says: &["Out Of Memory allocating"],
        end: End::Good,
    },
    Trial {
        symptom: "Slow DNS",
        program: r#"exec perl -MTime::HiRes=time -e '
            syswrite STDOUT, "ready\n"; <STDIN>; $start = time;
            gethostbyname("web.test") or exit 2; exit(time - $start < 2)'"#,
        says: &[],
        end: End::Good,
    },
    Trial {
        symptom: "DNS down",
        program: "echo ready; read go; ! curl -sS http://web.test/; ! redis-cli -h web.test ping",
        says: &["Could not resolve host", "Temporary failure in name resolution"],
        end: End::Good,
    },
    Trial {
        symptom: "Peer refuses",
        program: "echo ready; read go; ! psql -X -h 127.0.0.1 -U postgres -c 'select 1'",
        says: &["Connection refused"],
        end: End::Good,
    },
    Trial {
        symptom: "Peer silent",
        program: "echo ready; read go; ! PGCONNECT_TIMEOUT=2 psql -X -h 127.0.0.1 -U postgres -c 'select 1'",
        says: &["timeout expired"],
        end: End::Good,
    },
    Trial {
        symptom: "One-way partition",
        program: "echo ready; read go; ! PGCONNECT_TIMEOUT=2 psql -X -h 127.0.0.1 -U postgres -c 'select 1'",
        says: &["timeout expired"],
        end: End::Good,
    },
    Trial {
        symptom: "10 % packet loss",
        program: "echo ready; read go; ping -q -c 100 -i 0.02 127.0.0.1 >loss; cat loss; ! grep -q ' 0% packet' loss",
        says: &["packet loss"],
        end: End::Good,
    },
    Trial {
        symptom: "A bad mobile line",
        program: "echo ready; read go; ping -q -c 30 -i 0.1 127.0.0.1 | awk -F/ '/^rtt/ { print $5; exit $5 < 100 }'",
        says: &[],
        end: End::Good,
    },
    Trial {
        symptom: "Program hangs",
        program: r#"exec perl -MTime::HiRes=time,sleep -e '
            syswrite STDOUT, "ready\n"; <STDIN>; $start = $last = time;
            while ($last - $start < 20) { sleep 0.05; $now = time; exit 0 if $now - $last > 1.9; $last = $now }
            exit 1'"#,
        says: &[],
        end: End::Good,
    },
    Trial { symptom: "Crash", program: "echo ready; read go; sleep 60", says: &[], end: End::Killed },
];

/// The servers that the programs ask: whoever is not hindered finds a name, and a server that hangs up.
struct Peers {
    names: Child,
}

impl Peers {
    fn start() -> Result<Self> {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 5432))?;
        thread::spawn(move || server.incoming().for_each(drop));
        let mut names = Command::new("dnsmasq");
        names.args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--user=root",
            "--pid-file=",
            "--no-resolv",
        ]);
        names.args([
            "--no-hosts",
            "--listen-address=127.0.0.1",
            "--bind-interfaces",
            "--address=/test/127.0.0.1",
        ]);
        let names = names.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        // The machine's own file is behind an overlay.
        fs::write("/etc/resolv.conf", "nameserver 127.0.0.1\n")?;
        until("an answer of the name server", LONG, || Ok(sh("getent hosts web.test").is_ok()))?;
        Ok(Self { names })
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        let _ = self.names.kill();
        let _ = self.names.wait();
    }
}

#[test]
fn recipes_do_what_they_say() -> Result<()> {
    let _peers = Peers::start()?;
    trial::all(&TRIALS)
}
