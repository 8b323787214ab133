#!/bin/sh
# A sidecar for one minute, by Docker or Podman: writes of the container `web` to /data fail as on a full disk.
# With Podman: DOCKER=podman examples/sidecar/docker.sh
exec ${DOCKER:-docker} run --rm --pid host --cgroupns private --network none --read-only \
  --cap-drop ALL --cap-add BPF --cap-add PERFMON --cap-add SYS_PTRACE \
  --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
  --volume /sys/fs/cgroup:/sys/fs/cgroup \
  localhost/injector:0.1.0 \
  attach --container "${1:-web}" --io 'write:error=ENOSPC:path=/data/**' --for 1m
