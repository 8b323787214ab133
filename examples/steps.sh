# Read by the other examples. A step is said in plain words, then its command line is printed and run,
# and what comes out is printed as it is. One stream for all, so that everything stays in order.
exec 2>&1

# The injector of this checkout, where none is installed.
command -v injector >/dev/null || PATH=$PATH:$(cd "$(dirname "$0")/.." && pwd)/target/release
for program in redis-server redis-cli ping injector; do
    command -v "$program" >/dev/null || { echo "there is no $program on the PATH"; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "not root"; exit 1; }

cgroups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
name=/injector-example-$$
cgroup=$cgroups$name
port=7399
work=$(mktemp -d)
aside=

mkdir "$cgroup"
trap clean_up EXIT
trap 'exit 1' INT TERM

clean_up() {
    [ -z "$aside" ] || kill "$aside" 2>/dev/null || :
    redis-cli -p "$port" SHUTDOWN NOSAVE >/dev/null 2>&1 || :
    wait
    rmdir "$cgroup" 2>/dev/null || { sleep 1; rmdir "$cgroup"; }
    rm -r "$work"
}

say() {
    printf '\n# %s\n' "$*"
}

# Prints a command line, runs it, and prints what it says: also in $said, its exit code in $code.
run() {
    printf '$ %s\n' "$1"
    code=0
    said=$(eval "$1" 2>&1) || code=$?
    [ -z "$said" ] || printf '%s\n' "$said"
}

# Starts a program in the cgroup that is the target.
in_cgroup() {
    # In a subshell, which moves itself: 0 stands for the writer.
    (echo 0 >"$cgroup/cgroup.procs" && exec "$@")
}

# Prints a command line and runs it in the background, until `finish`.
aside() {
    printf '$ %s &\n' "$1"
    eval "exec $1" >"$work/aside" 2>&1 &
    aside=$!
    shown=0
}

# The same with an `injector attach`; waits until its rules act. $plan is its id.
begin() {
    aside "$1"
    until grep -q '^injector: plan ' "$work/aside"; do
        kill -0 "$aside" 2>/dev/null || { cat "$work/aside"; exit 1; }
        sleep 0.1
    done
    cat "$work/aside"
    shown=$(wc -l <"$work/aside")
    plan=$(awk '/^injector: plan / { print $3; exit }' "$work/aside")
}

# Waits for the end of what runs aside and prints what it has said since then: also in $said.
finish() {
    wait "$aside" || :
    aside=
    said=$(tail -n +$((shown + 1)) "$work/aside")
    printf '%s\n' "$said"
}

# The number of faults of rule 0 in a closing table that was printed last.
fired() {
    printf '%s\n' "$said" | awk '$1 == "0" { print $3; exit }'
}

# A Redis with its files in $work; waits until it answers.
start_redis() { # OPTIONS…
    run "in_cgroup redis-server --port $port --dir $work --save '' --logfile redis.log --daemonize yes${*:+ $*}"
    tries=100
    until [ "$(redis-cli -p "$port" PING 2>/dev/null)" = PONG ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { cat "$work/redis.log"; missed 'Redis does not start'; }
        sleep 0.2
    done
}

# What the example claims was not seen.
missed() {
    printf '\nNOT SEEN: %s\n' "$*"
    exit 1
}
