#!/bin/sh
# A disk that fails: Redis with `appendfsync always` answers OK only when a write is on the disk. Here
# fsync and fdatasync fail with EIO, for Redis alone. Needs root, and redis-server, redis-cli, injector.
# Exit code 0 if the effect was really seen.
set -eu
. "$(dirname "$0")/steps.sh"

say 'Redis, with every write on the disk before it answers. in_cgroup starts it in a cgroup of its own.'
start_redis --appendonly yes --appendfsync always
run "redis-cli -p $port SET balance 100"
[ "$said" = OK ] || missed 'Redis does not work'

say 'From now on no fsync and no fdatasync of that cgroup succeeds, for a minute at most.'
begin "injector attach --cgroup $name -e inject=fsync,fdatasync:error=EIO --for 60s"

say 'Others do not notice: an fsync from outside the cgroup.'
run "dd if=/dev/zero of=$work/outsider bs=4096 count=1 conv=fsync status=none && echo 'on disk'"
[ "$said" = 'on disk' ] || missed 'an outsider was hit'

say 'The same SET again. Redis cannot keep its promise, so it does not answer OK.'
run "redis-cli -p $port SET balance 200"
[ "$said" != OK ] || missed 'Redis answered OK'
answer=$said
say 'What Redis says about it in its log:'
run "tail -n 1 $work/redis.log"
case $said in *'Input/output error'*) ;; *) missed 'no Input/output error in the log of Redis' ;; esac

say 'Anybody on the machine can see who does this, and end it.'
run 'injector ps'
run "injector stop $plan"
say 'The injector that was attached ends with its table: the calls that matched, the faults that happened.'
finish
faults=$(fired)
[ "${faults:-0}" -ge 1 ] || missed 'no fault was counted'

say 'The disk is well again. Redis is started anew, as its supervisor would do.'
start_redis --appendonly yes --appendfsync always
say 'The client never got an OK for 200. The write was done all the same, only the fsync was not:'
run "redis-cli -p $port GET balance"
run "redis-cli -p $port SET balance 300"
[ "$said" = OK ] || missed 'Redis does not work after the end of the rule'

printf '\nSEEN: %s EIO, and the client got "%s" instead of OK; before and after, OK.\n' "$faults" "$answer"
