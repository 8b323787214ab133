# Second stage of a guest, PID 1 on the files that it sees: what a Linux system has mounted, then the
# command. Descriptor 3 is the line to the caller: `init UPTIME`, `run UPTIME`, `exit CODE`.
b=/run/guest/busybox
. /run/guest/settings.sh

mount_at() { # TYPE PLACE OPTIONS
    [ -d "$2" ] || $b mkdir -p "$2"
    $b mount -t "$1" -o "${3:-defaults}" "$1" "$2" 2>/dev/null || echo "guest: cannot mount $1 on $2"
}
mount_at tmpfs /tmp mode=1777
mount_at devpts /dev/pts gid=5,mode=620,ptmxmode=666
mount_at tmpfs /dev/shm mode=1777
mount_at cgroup2 /sys/fs/cgroup
mount_at bpf /sys/fs/bpf mode=700
mount_at debugfs /sys/kernel/debug
mount_at tracefs /sys/kernel/tracing
mount_at securityfs /sys/kernel/security
$b ln -sf /proc/self/fd /dev/fd
$b ln -sf fd/0 /dev/stdin
$b ln -sf fd/1 /dev/stdout
$b ln -sf fd/2 /dev/stderr

# What the command needs of the folders that are fresh now.
IFS='
'
for place in $keep; do
    $b mkdir -p "$place"
    $b mount -o bind "/run/guest/root$place" "$place"
done
for place in $places; do
    path=${place#* }
    $b mkdir -p "$path"
    $b mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose "${place%% *}" "$path" ||
        echo "guest: cannot mount $path"
done
if [ -n "$modules" ]; then
    from=/run/guest/root$modules
    [ -d "$from" ] || from=$modules
    $b mkdir -p "/lib/modules/${modules##*/}"
    $b mount -o bind "$from" "/lib/modules/${modules##*/}"
fi
unset IFS
$b umount /run/guest/root
$b mkdir -p /mnt/injector
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 share /mnt/injector

$b hostname injector-guest
$b ip link set lo up
ulimit -Hn 524288

# A port can be opened once only, but a command may open /dev/stdout again: pipes in between. The
# mark tells the caller that nothing more comes.
stream() { # PIPE PORT
    $b mkfifo "/run/guest/$1"
    {
        $b cat "/run/guest/$1" &
        echo $! >"/run/guest/$1.pid"
        wait $!
        printf %s "$mark"
    } >"$ports$2" 3>&- &
}
stream out 1
out=$!
stream err 2
err=$!

read -r up rest </proc/uptime
echo "run $up" >&3
$b sh /run/guest/command.sh </dev/null >/run/guest/out 2>/run/guest/err 3>&- &
wait $!
code=$?

# A process that the command left behind may hold a pipe open: it does not hold the guest.
{
    $b sleep 2
    read -r pid </run/guest/out.pid && kill "$pid"
    read -r pid </run/guest/err.pid && kill "$pid"
} >/dev/null 2>&1 3>&- &
wait $out
wait $err
echo "exit $code" >&3
$b sleep 10
$b poweroff -f
