/* See programs.h. */
#include <err.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "programs.h"

static int bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

void programs_measured(int on)
{
	int fd = open("/proc/sys/kernel/bpf_stats_enabled", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, on ? "1" : "0", 1) != 1)
		err(1, "kernel.bpf_stats_enabled");
	close(fd);
}

uint64_t programs_time(void)
{
	union bpf_attr next = {};
	uint64_t time = 0;

	while (!bpf(BPF_PROG_GET_NEXT_ID, &next)) {
		union bpf_attr open = { .prog_id = next.next_id };
		struct bpf_prog_info info = {};
		int fd = bpf(BPF_PROG_GET_FD_BY_ID, &open);
		union bpf_attr ask = { .info = { .bpf_fd = fd, .info_len = sizeof(info), .info = (uintptr_t)&info } };

		if (fd < 0 || bpf(BPF_OBJ_GET_INFO_BY_FD, &ask))
			err(1, "program %u", next.next_id);
		close(fd);
		time += info.run_time_ns;
		next.start_id = next.next_id;
	}
	return time;
}
