//! What other injectors got wrong, by their own trackers; one test each, here or elsewhere:
//!
//! - a thread's number taken for a process's, workers, grandchildren and exec'd children that escape: `targets`
//! - a probability off by one, the first and the last call, counters shared by threads: `decisions`
//! - one target too many that pushes another out: `targets`, a thousand cgroups
//! - entry points under another prefix, 32-bit calls: `every`, `backends`
//! - relative paths and directory descriptors: `objects`; a restarted call: `filters`
//! - calls whose failure leaks or kills: `refusals`
//! - one of several calls that do the same, and text in memory that is not there: below

use anyhow::{Result, ensure};
use injector_tests::injector::{Finished, Injector};

use crate::{printed, python};

/// `f` of a call that is made raw, since C libraries choose another one.
const RAW: &str = "
import ctypes, os, mmap, socket
libc = ctypes.CDLL(None, use_errno=True)
def raw(*words):
    ctypes.set_errno(0)
    return ctypes.get_errno() if libc.syscall(*words) < 0 else 0
";

fn under(rule: &str, rest: &str) -> Result<Finished> {
    Injector::new(["run", "--json", "--io", rule])?
        .command(&["python3", "-c", &format!("{RAW}{rest}")])
        .finish()?
        .expect(0)
}

/// open, creat, openat, openat2: who fails one means all of them.
#[cfg(target_arch = "x86_64")]
#[test]
fn opening_is_opening_by_whatever_call() -> Result<()> {
    let rest = "
how = (ctypes.c_ulonglong * 3)()
print(raw(2, b'/tmp', 0), raw(85, b'/tmp/x', 0o600), raw(257, -100, b'/tmp', 0), raw(437, -100, b'/tmp', how, 24))
";
    let finished = under("open:error=EMFILE:path=/tmp:path=/tmp/x", rest)?;
    ensure!(printed(&finished).starts_with("24 24 24 24"), "{} {}", finished.stdout, finished.stderr);
    Ok(())
}

/// read, readv, recvfrom, recvmsg on one socket.
#[test]
fn receiving_is_receiving_by_whatever_call() -> Result<()> {
    let rest = "
server = socket.create_server(('127.0.0.1', 7003))
client = socket.create_connection(('127.0.0.1', 7003))
peer, _ = server.accept()
peer.send(b'x' * 100)
def errno(f, *words):
    try: f(*words); return 0
    except OSError as error: return error.errno
fd, room = client.fileno(), bytearray(9)
print(errno(os.read, fd, 9), errno(os.readv, fd, [room]), errno(client.recv, 9), errno(client.recvmsg, 9))
";
    let finished = under("recv:error=EIO:port=7003", rest)?;
    ensure!(printed(&finished).starts_with("5 5 5 5"), "{} {}", finished.stdout, finished.stderr);
    Ok(())
}

/// A program that reads the caller's text cannot when its page is not there, or reads another text than the kernel.
#[test]
fn the_text_of_a_path_need_not_be_in_memory() -> Result<()> {
    let script = format!(
        "{RAW}
with open('/tmp/names', 'wb') as names: names.write(b'/tmp/wanted'.ljust(4096, b'\\0'))
open('/tmp/wanted', 'w').close()
names = os.open('/tmp/names', os.O_RDWR)
page = mmap.mmap(names, 4096)
text = (ctypes.c_char * 4096).from_buffer(page)
print(raw({openat}, -100, ctypes.byref(text), 0))
",
        openat = libc::SYS_openat
    );
    // Made anew, so that nobody has looked at the page before the call does.
    let finished = python(&["openat:error=ENFILE:path=/tmp/wanted:when=2"], &script)?.expect(0)?;
    ensure!(printed(&finished).starts_with("23"), "{} {}", finished.stdout, finished.stderr);
    Ok(())
}
