# Run in a guest by `cargo xtask bench delay`: how long calls take that were to take so long, and how much of a
# processor. One line for each length: nanoseconds asked, then the median and the 99th percentile of what a call
# took, and the processor time of the thread and of the server for one call, all in microseconds. The call is fsync
# where any call can be delayed, else openat, at its security hook.
import os, statistics, subprocess, sys, time

CALLER = """
import os, sys, time
file = os.open('/tmp/bench-delay', os.O_RDWR | os.O_CREAT)
count, hook = int(sys.argv[1]), sys.argv[2] == 'hook'
def call():
    if hook: os.close(os.open('/dev/null', os.O_RDONLY | os.O_NOCTTY))
    else: os.fsync(file)
call()
server = next(n for n in os.listdir('/proc') if n.isdigit() and 'injector-fuse' in open('/proc/%s/comm' % n).read())
clock = ((~int(server)) << 3) | 2  # of a process: include/linux/posix-timers.h
spent = lambda: time.clock_gettime_ns(clock) / 1000
before, of_server, took = time.thread_time(), spent(), []
for _ in range(count):
    start = time.monotonic_ns()
    call()
    took.append((time.monotonic_ns() - start) / 1000)
cpu, of_server = (time.thread_time() - before) * 1e6 / count, (spent() - of_server) / count
took.sort()
print(took[count // 2], took[count * 99 // 100], cpu, of_server)
"""
hook = not os.path.exists("/sys/kernel/debug/error_injection/list")
for delay, count in [(500_000, 1000), (1_000_000, 1000), (10_000_000, 300), (100_000_000, 50), (1_000_000_000, 10)]:
    where = "openat:flags&O_NOCTTY" if hook else "fsync"
    rule = "inject=%s:delay_enter=%dns" % (where, delay)
    command = [sys.argv[1], "run", "-e", rule, "--", "python3", "-c", CALLER, str(count), "hook" if hook else "call"]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(delay, *found.split(), flush=True)
