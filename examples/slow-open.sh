#!/bin/sh
# A slow file server: opening one file takes a second. Needs Linux 6.12 with bpf among its security modules, as stock
# Debian has it; root, and injector. Exit code 0 if the effect was really seen.
set -eu
. "$(dirname "$0")/steps.sh"

# Prints how long a command line takes, in milliseconds: also in $took.
timed() {
    before=$(date +%s%N)
    run "$1"
    took=$((($(date +%s%N) - before) / 1000000))
    printf '(%s ms)\n' "$took"
}

echo 'timeout = 5' >"$work/app.conf"
say 'A program that reads its configuration.'
timed "in_cgroup cat $work/app.conf"
quick=$took

say 'The same when the file server is slow: each file that it opens there comes a second late.'
begin "injector attach --cgroup $name --io 'open:delay=1s:path=**/app.conf' --for 60s"
timed "in_cgroup cat $work/app.conf"
slow=$took
[ "$slow" -ge 1000 ] || missed 'the file was opened at once'
[ "$said" = 'timeout = 5' ] || missed 'the file was not read'

say 'Others do not wait.'
timed "cat $work/app.conf"
[ "$took" -lt 1000 ] || missed 'an outsider had to wait'

run "injector stop $plan"
finish
faults=$(fired)
[ "${faults:-0}" -ge 1 ] || missed 'no delay was counted'

printf '\nSEEN: the file was read in %s ms, and in %s ms with a slow open.\n' "$quick" "$slow"
