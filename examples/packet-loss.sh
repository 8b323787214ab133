#!/bin/sh
# A network that fails: 30 % of a client's packets are lost, then none of them arrives for a while.
# Needs root, and ping, redis-server, redis-cli, injector. Exit code 0 if the effect was really seen.
set -eu
. "$(dirname "$0")/steps.sh"

say 'Somebody else pings at the same time, outside of every rule.'
aside 'ping -q -c 100 -i 0.02 127.0.0.1'

say 'The client: ping, with 30 % of what it sends lost on the way. Compare its numbers with the table.'
run "injector run --net 'icmp : loss 30%' -- ping -q -c 100 -i 0.02 127.0.0.1"
lost=$(fired)
counted=$(printf '%s\n' "$said" | awk '/packets transmitted/ { print $1 - $4 }')
[ "${lost:-0}" -ge 1 ] || missed 'no packet was lost'
[ "$lost" = "$counted" ] || missed "ping missed $counted answers, the table says that $lost packets were lost"

say 'The other one lost nothing.'
finish
case $said in *' 0% packet loss'*) ;; *) missed 'an outsider lost packets' ;; esac

say 'A server that a client can reach:'
start_redis
run "redis-cli -p $port PING"

say 'A partition: for three seconds nothing arrives that this client sends to the server. It cannot even connect, until the time is up and its next attempt gets through.'
run "injector run --for 3s --net 'tcp dport $port : partition' -- timeout 20 redis-cli -p $port PING"
[ "$code" = 0 ] || missed "the client never got through: exit code $code"
cut=$(fired)
[ "${cut:-0}" -ge 1 ] || missed 'no packet was lost in the partition'

printf '\nSEEN: ping lost %s of 100 packets, as many as were dropped; the partition ate %s.\n' "$lost" "$cut"
