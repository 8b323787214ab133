# Run in a guest by `cargo xtask bench delay`: how long calls take that were to take so long, and how much of a
# processor. One line for each length: nanoseconds asked, then the median and the 99th percentile of what a call
# took, and the processor time of the thread and of the server for one call, all in microseconds.
import os, statistics, subprocess, sys, time

CALLER = """
import os, sys, time
file = os.open('/tmp/bench-delay', os.O_RDWR | os.O_CREAT)
count = int(sys.argv[1])
os.fsync(file)
server = next(n for n in os.listdir('/proc') if n.isdigit() and 'injector-naps' in open('/proc/%s/comm' % n).read())
clock = ((~int(server)) << 3) | 2  # of a process: include/linux/posix-timers.h
spent = lambda: time.clock_gettime_ns(clock) / 1000
before, of_server, took = time.thread_time(), spent(), []
for _ in range(count):
    start = time.monotonic_ns()
    os.fsync(file)
    took.append((time.monotonic_ns() - start) / 1000)
cpu, of_server = (time.thread_time() - before) * 1e6 / count, (spent() - of_server) / count
took.sort()
print(took[count // 2], took[count * 99 // 100], cpu, of_server)
"""
for delay, count in [(500_000, 1000), (1_000_000, 1000), (10_000_000, 300), (100_000_000, 50), (1_000_000_000, 10)]:
    rule = "inject=fsync:delay_enter=%dns" % delay
    command = [sys.argv[1], "run", "-e", rule, "--", "python3", "-c", CALLER, str(count)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(delay, *found.split(), flush=True)
