#!/bin/busybox sh
# First stage of a guest, in the initramfs: modules, the streams to the caller, the files from the host under
# an overlay that takes what the guest writes. Then guest.sh takes over as PID 1.
b=/bin/busybox
$b mkdir -p /proc /sys /dev /lower /upper /new
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
while read -r module; do
    $b insmod "/modules/$module" || echo "guest: cannot load $module"
done </modules.order

# The host adds the ports of a virtio console after the driver is up; the last of three is ours.
while set -- /dev/vport*p3 && [ ! -c "$1" ]; do $b usleep 2000; done
ports=${1%3}
exec 3>"${ports}3"
read -r up rest </proc/uptime
echo "init $up" >&3

fail() {
    echo "guest: $1"
    echo "fail $1" >&3
    while :; do $b sleep 1; done
}

$b mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose host /lower ||
    fail "cannot mount the host's files over 9p"
$b mount -t tmpfs -o mode=755,size=75% upper /upper
$b mkdir /upper/data /upper/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work overlay /new ||
    fail "cannot mount an overlay on the host's files"
# The overlay holds them by itself.
$b umount -l /lower
$b umount -l /upper

$b mount -t tmpfs -o mode=755 run /new/run
$b mkdir -p /new/run/guest/root /new/dev /new/proc /new/sys
$b cp $b /guest.sh /settings.sh /command.sh /new/run/guest/
$b mount -o bind /new /new/run/guest/root
$b mount -o move /dev /new/dev
$b mount -o move /proc /new/proc
$b mount -o move /sys /new/sys
echo "ports=$ports" >>/new/run/guest/settings.sh
exec $b switch_root /new /run/guest/busybox sh /run/guest/guest.sh
