//! Which of the calls: by the file or the socket that they are about, however they come to it.

use std::fs;

use anyhow::{Result, ensure};
use injector_tests::victim;
use tempfile::TempDir;

use crate::{any_call, printed, python};

/// Opens a file by every name that leads to it; prints the errno of each.
const NAMES: &str = "
import os, subprocess, sys
os.chdir(sys.argv[1])
os.symlink('folder/wanted', 'symlink'); os.link('folder/wanted', 'hardlink')
subprocess.run(['mount', '--bind', 'folder', 'bound'], check=True)
held = os.open('folder/wanted', os.O_PATH)
def errno(path, at=None):
    try: os.close(os.open(path, os.O_RDONLY, dir_fd=at)); return 0
    except OSError as error: return error.errno
results = []
results.append(errno(os.getcwd() + '/folder/wanted'))
results.append(errno('folder/../folder/./wanted'))
results.append(errno('wanted', os.open('folder', os.O_RDONLY)))
results.append(errno('symlink'))
results.append(errno('/proc/self/fd/%d' % held))
results.append(errno('/proc/self/cwd/folder/wanted'))
# Other paths to the same file, and other files.
results.append(errno('bound/wanted'))
results.append(errno('hardlink'))
results.append(errno('folder/other'))
# A new name is the name.
os.rename('folder/wanted', 'elsewhere/was'); os.rename('folder/other', 'folder/wanted')
results.append(errno('elsewhere/was'))
results.append(errno('folder/wanted'))
print(*results)
";

/// A folder with two files to be opened, and two for other roads.
fn prepared() -> Result<TempDir> {
    let folder = victim::folder()?;
    for name in ["folder", "bound", "elsewhere"] {
        fs::create_dir(folder.path().join(name))?;
    }
    for name in ["wanted", "other"] {
        fs::write(folder.path().join("folder").join(name), "")?;
    }
    Ok(folder)
}

#[test]
fn a_file_is_known_by_whatever_name_leads_to_it() -> Result<()> {
    let folder = prepared()?;
    let path = folder.path().display();
    let rule = format!("openat:error=EPERM:path={path}/folder/wanted");
    let script = NAMES.replace("sys.argv[1]", &format!("'{path}'"));
    let finished = python(&[&rule], &script)?.expect(0)?;
    ensure!(
        printed(&finished).starts_with("1 1 1 1 1 1 0 0 0 0 1"),
        "{} {}",
        finished.stdout,
        finished.stderr
    );
    let opened = finished.log.iter().filter(|line| line["syscall"] == "openat");
    assert_eq!(opened.count(), 7);
    ensure!(finished.log.iter().all(|line| line["path"] == format!("{path}/folder/wanted").as_str()));
    // The bind mount has a path of its own.
    let folder = prepared()?;
    let path = folder.path().display();
    let rule = format!("openat:error=EPERM:path={path}/bound/*");
    let script = NAMES.replace("sys.argv[1]", &format!("'{path}'"));
    let finished = python(&[&rule], &script)?.expect(0)?;
    ensure!(
        printed(&finished).starts_with("0 0 0 0 0 0 1 0 0 0 0"),
        "{} {}",
        finished.stdout,
        finished.stderr
    );
    Ok(())
}

/// Descriptors: duplicated, inherited, of a file that was renamed, of one that was deleted, and of none.
#[test]
fn a_descriptor_is_known_by_its_file() -> Result<()> {
    let script = "
import os
def errno(f, *words):
    try: f(*words); return 0
    except OSError as error: return error.errno
a = os.open('/tmp/a.wal', os.O_RDWR | os.O_CREAT); b = os.open('/tmp/b.dat', os.O_RDWR | os.O_CREAT)
read, write = os.pipe()
results = [errno(os.pwrite, fd, b'x', 0) for fd in (a, os.dup(a), b)]
os.rename('/tmp/a.wal', '/tmp/a.old'); os.rename('/tmp/b.dat', '/tmp/b.wal')
results += [errno(os.pwrite, fd, b'x', 0) for fd in (a, b)]
os.unlink('/tmp/b.wal')
results.append(errno(os.pwrite, b, b'x', 0))
child = os.fork()
if child == 0: os._exit(errno(os.pwrite, b, b'x', 0))
results.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
results += [errno(os.pwrite, 99, b'x', 0), errno(os.pwrite, write, b'x', 0)]
print(*results)
";
    let finished = python(&["pwrite64:error=ENOSPC:path=/tmp/*.wal"], script)?.expect(0)?;
    // What has no file fails by itself: a bad descriptor, a pipe.
    ensure!(
        printed(&finished).starts_with("28 28 0 0 28 28 28 9 29"),
        "{} {}",
        finished.stdout,
        finished.stderr
    );
    assert_eq!(finished.report()?.rules[0].matched, 5);
    Ok(())
}

/// At the calls themselves also those that pass no hook, those with two descriptors, and classes.
#[test]
fn calls_that_pass_no_hook_know_their_files_too() -> Result<()> {
    let script = "
import os
def errno(f, *words):
    try: f(*words); return 0
    except OSError as error: return error.errno
a = os.open('/tmp/a.wal', os.O_RDWR | os.O_CREAT); b = os.open('/tmp/b.dat', os.O_RDWR | os.O_CREAT)
print(errno(os.fsync, a), errno(os.fsync, b), *[errno(os.copy_file_range, *fds, 1) for fds in ((a, b), (b, a), (b, b))])
";
    let rules = ["fsync:error=EIO:path=*.wal", "copy_file_range:error=EDQUOT:path=*.wal"];
    let finished = python(&rules, script)?;
    if !any_call()? {
        ensure!(finished.code == 125 && finished.stderr.contains("fsync"), "{}", finished.stderr);
        return Ok(());
    }
    let finished = finished.expect(0)?;
    ensure!(printed(&finished).starts_with("5 0 122 122 22"), "{} {}", finished.stdout, finished.stderr);
    // A class brings its calls that take paths along, too.
    let opening = script.replace("print(", "print(errno(os.open, '/tmp/new.wal', os.O_RDWR | os.O_CREAT), ");
    let class =
        python(&["%desc:error=EIO:path=/tmp/*.wal:times=1"], &opening.replace("/tmp/a.wal", "/tmp/a"))?;
    ensure!(printed(&class).starts_with("5 0 0"), "{} {}", class.stdout, class.stderr);
    Ok(())
}

/// Sockets by their ports, whatever the call: with an address of its own, and by the descriptor alone.
#[test]
fn sockets_are_known_by_peer_and_port() -> Result<()> {
    let script = "
import socket, os
def errno(f, *words):
    try: f(*words); return 0
    except OSError as error: return error.errno
servers = [socket.create_server(('127.0.0.1', port)) for port in (7001, 7002)]
clients = [socket.create_connection(('127.0.0.1', port)) for port in (7001, 7002)]
files = [client.fileno() for client in clients]
print(*[errno(os.write, fd, b'x') for fd in files], *[errno(client.send, b'x') for client in clients],
      *[errno(client.getpeername) for client in clients], *[errno(socket.create_connection, ('127.0.0.1', port)) for port in (7001, 7002)])
";
    let rules = [
        "write:error=EPIPE:port=7001",
        "sendto:error=ENOBUFS:port=7001",
        "getpeername:error=EIO:peer=127.0.0.1:port=7001",
        "connect:error=ETIMEDOUT:peer=127.0.0.0/8:port=7002:when=2",
    ];
    let finished = python(&rules, script)?.expect(0)?;
    ensure!(
        printed(&finished).starts_with("32 0 105 0 5 0 0 110"),
        "{} {}",
        finished.stdout,
        finished.stderr
    );
    let log = finished.log.iter().find(|line| line["syscall"] == "sendto");
    ensure!(log.is_some_and(|line| line["peer_port"] == 7001), "{:?}", finished.log);
    Ok(())
}

/// The file that is closed has no descriptor when the call has run; nor has the socket.
#[test]
fn what_is_closed_is_known_when_it_has_been() -> Result<()> {
    if !any_call()? {
        return Ok(());
    }
    let script = "
import os, socket
fds = [os.open(name, os.O_RDWR | os.O_CREAT) for name in ('/tmp/a.wal', '/tmp/b.dat')]
server = socket.create_server(('127.0.0.1', 7003))
fds += [socket.create_connection(('127.0.0.1', 7003)).detach(), socket.socket().detach()]
for fd in fds:
    try: os.close(fd); print(0, end=' ')
    except OSError as error: print(error.errno, end=' ')
    try: os.fstat(fd); print('open', end=' ')
    except OSError as error: print(error.errno, end=' ')
";
    let rules = [
        "close:error=EIO:at=exit:path=/tmp/*.wal",
        "close:error=EINTR:on=success:peer=127.0.0.1:port=7003",
        // Asked before the call runs, of the same file: who asks first must not take it from who asks last.
        "close:delay_enter=1ms:path=/tmp/*.wal",
    ];
    let finished = python(&rules, script)?.expect(0)?;
    ensure!(printed(&finished).starts_with("5 9 0 9 4 9 0 9"), "{} {}", finished.stdout, finished.stderr);
    let report = finished.report()?;
    assert_eq!(
        report.rules[..2].iter().map(|rule| (rule.matched, rule.fired)).collect::<Vec<_>>(),
        [(1, 1); 2]
    );
    let told = finished.log.iter().find(|line| line["rule"] == 0);
    ensure!(told.is_some_and(|line| line["path"] == "/tmp/a.wal"), "{:?}", finished.log);
    let refused = python(&["close_range:error=EIO:at=exit:path=*.wal"], "")?.expect(125)?;
    ensure!(
        refused.stderr.contains("`close_range` takes neither a path nor a descriptor"),
        "{}",
        refused.stderr
    );
    Ok(())
}

/// A result is replaced when the call has run: of descriptors, since what a path leads to is known before.
#[test]
fn at_the_exit_files_are_known_by_descriptor() -> Result<()> {
    let script = "
import os
fds = [os.open(name, os.O_RDWR | os.O_CREAT) for name in ('/tmp/a.wal', '/tmp/b.dat')]
for fd in fds:
    try: print(os.pwrite(fd, b'abc', 0), end=' ')
    except OSError as error: print(error.errno, end=' ')
print(*[os.path.getsize(name) for name in ('/tmp/a.wal', '/tmp/b.dat')])
";
    let rule = "pwrite64:error=EIO:path=*.wal:at=exit";
    if !any_call()? {
        return python(&[rule], script)?.expect(125).map(drop);
    }
    let finished = python(&[rule], script)?.expect(0)?;
    ensure!(printed(&finished).starts_with("5 3 3 3"), "{} {}", finished.stdout, finished.stderr);
    let refused = python(&["openat:error=EIO:path=*.wal:at=exit"], "")?.expect(125)?;
    ensure!(refused.stderr.contains("security hook only"), "{}", refused.stderr);
    Ok(())
}
