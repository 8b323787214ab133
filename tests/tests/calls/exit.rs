//! Calls that have run, and whose callers are told something else.

use anyhow::{Result, ensure};
use injector_tests::injector::Injector;

use crate::{any_call, printed, python};

#[test]
fn bytes_are_in_the_file_and_the_caller_got_an_error() -> Result<()> {
    if !any_call()? {
        return refused();
    }
    let script = "
import os
fd = os.open('/tmp/at-exit', os.O_RDWR | os.O_CREAT | os.O_TRUNC)
assert os.dup2(fd, 77) == 77
try: os.write(77, b'hello')
except OSError as error: print(error.errno, end=' ')
print(os.pread(fd, 9, 0).decode(), os.write(77, b'!'))
";
    let finished = python(&["write:error=EIO:at=exit:fd=77:times=1"], script)?.expect(0)?;
    ensure!(printed(&finished).starts_with("5 hello 1"), "{}", finished.stdout);
    let report = finished.report()?;
    assert_eq!((report.rules[0].matched, report.rules[0].fired), (2, 1));
    assert_eq!(finished.log.len(), 1);
    let line = &finished.log[0];
    assert_eq!((&line["backend"], &line["syscall"]), (&"kretprobe".into(), &"write".into()));
    assert_eq!(line["verdict"], serde_json::json!({ "return": -5, "errno": "EIO", "instead_of": 5 }));
    Ok(())
}

#[test]
fn close_fails_and_the_descriptor_is_gone() -> Result<()> {
    if !any_call()? {
        return refused();
    }
    let script = "
import os
os.dup2(0, 77)
try: os.close(77)
except OSError as error: print(error.errno, end=' ')
try: os.fstat(77)
except OSError as error: print(error.errno)
";
    // Not dangerous behind the call: the descriptor is closed.
    let finished =
        Injector::run("close:error=EIO:at=exit:fd=77")?.command(&["python3", "-c", script]).expect(0)?;
    ensure!(finished.stdout.contains("5 9"), "{}", finished.stdout);
    Ok(())
}

#[test]
fn a_success_becomes_an_error_and_an_error_a_success() -> Result<()> {
    if !any_call()? {
        return refused();
    }
    let script = "
import os
def make(path):
    try: os.mkdir(path); return 0
    except OSError as error: return error.errno
os.mkdir('/tmp/on-success')
print(make('/tmp/on-success/a'), os.path.isdir('/tmp/on-success/a'), make('/tmp/on-success/a'), make('/no/such/b'))
";
    let success = python(&["mkdir,mkdirat:error=ENOENT:on=success:when=2+"], script)?.expect(0)?;
    ensure!(printed(&success).starts_with("2 True 17 2"), "{}", success.stdout);
    let script = script.replace("on-success", "on-failure");
    let failure = python(&["mkdir,mkdirat:retval=0:on=failure"], &script)?.expect(0)?;
    ensure!(printed(&failure).starts_with("0 True 0 0"), "{}", failure.stdout);
    let counts = &failure.report()?.rules[0];
    assert_eq!((counts.matched, counts.fired), (2, 2));
    Ok(())
}

/// Rules at both ends of one call: each end has its own program, and each rule counts once.
#[test]
fn both_ends_of_a_call_have_their_rules() -> Result<()> {
    if !any_call()? {
        return refused();
    }
    let script = "
import os
def call(n):
    try: os.mkdir('/tmp/both-%d' % n); return 0
    except OSError as error: return error.errno
print(*[call(n) for n in range(6)], *[int(os.path.isdir('/tmp/both-%d' % n)) for n in range(6)])
";
    let rules = ["mkdir,mkdirat:error=EIO:when=2+3", "mkdir,mkdirat:error=ENOSPC:on=success:when=2+2"];
    let finished = python(&rules, script)?.expect(0)?;
    // Of the calls 1 to 6, 2 and 5 never run; of the four that do, the second and the fourth are denied.
    ensure!(printed(&finished).starts_with("0 5 28 0 5 28 1 0 1 1 0 1"), "{}", finished.stdout);
    let report = finished.report()?;
    let counts: Vec<_> = report.rules.iter().map(|rule| (rule.matched, rule.fired)).collect();
    assert_eq!(counts, [(6, 2), (4, 2)]);
    Ok(())
}

/// A kernel without error injection says so.
fn refused() -> Result<()> {
    let finished = Injector::run("write:error=EIO:at=exit")?.command(&["true"]).expect(125)?;
    ensure!(finished.stderr.contains("kretprobe"), "{}", finished.stderr);
    ensure!(finished.stderr.contains("CONFIG_BPF_KPROBE_OVERRIDE"), "{}", finished.stderr);
    Ok(())
}

/// A kretprobe has room for so many calls at a time. Those beyond meet no rule, and the report says how many.
#[test]
fn calls_beyond_a_kretprobes_room_are_told() -> Result<()> {
    if !any_call()? {
        return Ok(());
    }
    let script = "
import os, platform, threading
number = '0' if platform.machine() == 'x86_64' else '63'
pipe, write = os.pipe()
os.dup2(pipe, 99)
failed = []
def reader():
    try: os.read(99, 1)
    except OSError: failed.append(1)
threads = [threading.Thread(target=reader) for _ in range(40)]
for thread in threads: thread.start()
while any(open('/proc/self/task/%s/syscall' % task).read().split()[:2] != [number, '0x63'] for task in os.listdir('/proc/self/task') if int(task) != os.getpid()): pass
os.write(write, b'x' * 40)
for thread in threads: thread.join()
print(len(failed))
";
    let finished = python(&["read:error=EIO:fd=99:at=exit"], script)?.expect(0)?;
    let failed: u64 = printed(&finished).lines().next().unwrap_or_default().parse()?;
    let report = finished.report()?;
    ensure!(failed > 0 && failed < 40, "{} {}", finished.stdout, finished.stderr);
    assert_eq!(report.rules[0].fired, failed);
    // Those of everybody else are among them.
    ensure!(report.skipped >= 40 - failed, "{failed} {}: {}", report.skipped, finished.stderr);
    Ok(())
}
