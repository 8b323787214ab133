#!/bin/sh
# A disk that is full: what Redis writes to its append-only file meets ENOSPC, for Redis alone and in no other file.
# Works on any kernel that injector runs on. Needs root, and redis-server, redis-cli, injector.
# Exit code 0 if the effect was really seen.
set -eu
. "$(dirname "$0")/steps.sh"

say 'Redis with an append-only file. in_cgroup starts it in a cgroup of its own.'
start_redis --appendonly yes
run "redis-cli -p $port SET balance 100"
[ "$said" = OK ] || missed 'Redis does not work'

say 'From now on the disk is full for that file, for a minute at most.'
begin "injector attach --cgroup $name --io 'write:error=ENOSPC:path=**/*.aof' --for 60s"

say 'The next SET still gets OK: by default Redis answers before the write is on the disk. The SETs after it do not.'
run "redis-cli -p $port SET balance 200"
tries=50
until run "redis-cli -p $port SET balance 300" && [ "$said" != OK ]; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || missed 'Redis goes on answering OK'
    sleep 0.2
done
answer=$said
case $answer in *'No space left on device'*) ;; *) missed 'another error than No space left on device' ;; esac
say 'Reading works.'
run "redis-cli -p $port GET balance"

say 'Others do not notice: a file in the same folder, written from outside the cgroup.'
run "echo full of room >$work/outsider.aof && cat $work/outsider.aof"
[ "$said" = 'full of room' ] || missed 'an outsider was hit'

say 'Anybody on the machine can see who does this, and end it.'
run 'injector ps'
run "injector stop $plan"
say 'The injector ends with its table: the writes that matched, the faults that happened.'
finish
faults=$(fired)
[ "${faults:-0}" -ge 1 ] || missed 'no fault was counted'

say 'There is room again. Redis tries once a second, and then takes commands as before.'
tries=50
until run "redis-cli -p $port SET balance 400" && [ "$said" = OK ]; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || missed 'Redis does not recover'
    sleep 0.5
done
run "grep -F AOF $work/redis.log | tail -n 2"

printf '\nSEEN: %s writes met ENOSPC, and the client was told "%s"; after the plan, OK.\n' "$faults" "$answer"
