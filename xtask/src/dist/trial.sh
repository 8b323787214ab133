# Tries what `cargo xtask dist` made, as root in a guest: each artefact is installed where nothing else is, injects, and
# is removed again. Arguments: the folder, the tarball, the Debian package, the image, the image's name.
set -eu
cd "$1"
tarball=$2 deb=$3 image=$4 name=$5

# A root with busybox alone: no C library, no shell but that.
root=/tmp/root
mkdir -p $root/bin $root/etc $root/proc $root/sys $root/dev $root/tmp $root/var/lib/dpkg/info $root/var/lib/dpkg/updates
cp "$(command -v busybox)" $root/bin/busybox
for applet in cat sh; do ln -s busybox $root/bin/$applet; done
echo read >$root/etc/note
for place in proc sys dev; do mount --rbind /$place $root/$place; done

inject() { # INJECTOR, as the new root names it
    chroot $root "$1" run --expect-fired --io 'read:error=EIO:path=/etc/note' -- \
        /bin/sh -c '/bin/cat /etc/note; test $? = 1'
}
files() {
    find $root -xdev \( -path $root/proc -o -path $root/sys -o -path $root/dev -o -path $root/var \) -prune -o -print | sort
}
files >/tmp/before

echo "trial: $tarball"
mkdir -p $root/opt
tar -xzf "$tarball" -C $root/opt --strip-components=1
(cd $root/opt && sha256sum --check --quiet SHA256SUMS)
inject /opt/bin/injector
rm -r $root/opt

echo "trial: $deb"
: >$root/var/lib/dpkg/status
# Its scripts, of which there are none, would have needed a shell.
dpkg --root=$root --log=/dev/null --install "$deb"
inject /usr/bin/injector
dpkg --root=$root --log=/dev/null --purge injector
# dpkg keeps folders that were there before; here it made them all itself.
files | diff /tmp/before -

echo "trial: $image"
export CONTAINERS_STORAGE_CONF=/tmp/storage.conf
printf '[storage]\ndriver = "vfs"\ngraphroot = "/tmp/graph"\nrunroot = "/tmp/run"\n' >$CONTAINERS_STORAGE_CONF
podman="podman --cgroup-manager cgroupfs --runtime crun --events-backend none"
$podman load --quiet --input "$image"
sleep 1000 &
$podman run --rm --privileged --pid host --cgroupns host --network host -v /sys/fs/cgroup:/sys/fs/cgroup \
    "$name" attach --pid $! --for 1s -e inject=openat:error=EMFILE
kill $!
