/* meter [--cgroup PATH] [--unshare net] [--attach KIND:PLACE]... CALL...
 *
 * Counts the instructions of calls, in a guest whose clock counts instructions (`cargo xtask vm --icount`).
 * Moves into the cgroup, and into a network namespace of its own, attaches programs that do nothing, says "ready",
 * and waits for a line on stdin.
 * Then it makes every CALL many times and says for each "CALL INSTRUCTIONS": what a twentieth of
 * the single calls stays below. For a system call that is what nearly all of them took; of what the kernel
 * does by the way, such as timers, it counts nothing. What a process costs differs too much for that, so there
 * it is the time that programs take, for each process. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "empty.h"
#include "programs.h"
#include "traffic.h"

/* Calls that are made first, and are not counted: they fill caches of the kernel and fault pages in. */
#define WARM_UP 100
#define SAMPLES 2000
#define MOST_SAMPLES 100000

static int zero, loopback;

/* The time stamp counter is the instruction counter itself (QEMU, accel/tcg/icount-common.c); the system's
 * clock is made of it by a multiplication that rounds. */
static inline uint64_t instructions(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
#endif
}

static void nothing(void)
{
}

static void call_getuid(void)
{
	syscall(SYS_getuid);
}

static void call_read(void)
{
	char byte;

	if (syscall(SYS_read, zero, &byte, 1) != 1)
		err(1, "read of /dev/zero");
}

/* A process that ends at once: its start, its exit, and its parent's wait. */
static void call_process(void)
{
	pid_t child = vfork();

	if (child == 0)
		_exit(0);
	if (child < 0 || waitpid(child, NULL, 0) != child)
		err(1, "vfork");
}

/* A datagram of one byte, sent over lo and received. */
static void call_datagram(void)
{
	char byte = 0;

	if (send(loopback, &byte, 1, 0) != 1 || recv(loopback, &byte, 1, 0) != 1)
		err(1, "datagram on lo");
}

static void open_what_calls_need(void)
{
	struct sockaddr_in self = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(4242),
	};
	socklen_t length = sizeof(self);

	zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	loopback = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (zero < 0 || loopback < 0)
		err(1, "/dev/zero or a socket");
	if (bind(loopback, (struct sockaddr *)&self, length) ||
	    connect(loopback, (struct sockaddr *)&self, length))
		err(1, "a socket connected to itself");
}

static void move_to(const char *cgroup)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		err(1, "%s", path);
	close(fd);
}

static void leave_network(void)
{
	if (unshare(CLONE_NEWNET))
		err(1, "a network namespace");
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t count_of(void (*make)(void), int all)
{
	static uint64_t samples[MOST_SAMPLES];

	for (int i = 0; i < WARM_UP; i++)
		make();
	for (int i = 0; i < all; i++) {
		uint64_t before = instructions();
		make();
		samples[i] = instructions() - before;
	}
	qsort(samples, all, sizeof(*samples), compare);
	return samples[all / 20];
}

static uint64_t count(void (*make)(void))
{
	return count_of(make, SAMPLES);
}

static uint64_t count_most(void (*make)(void))
{
	return count_of(make, MOST_SAMPLES);
}

static uint64_t count_transfer(void (*make)(void))
{
	return count_of(make, MOST_SAMPLES / 10);
}

static uint64_t count_in_programs(void (*make)(void))
{
	programs_measured(1);
	uint64_t before = programs_time();

	for (int i = 0; i < SAMPLES; i++)
		make();
	uint64_t time = programs_time() - before;

	programs_measured(0);
	return (time + SAMPLES / 2) / SAMPLES;
}

static const struct call {
	const char *name;
	void (*make)(void);
	uint64_t (*count)(void (*make)(void));
} CALLS[] = {
	{ "getuid", call_getuid, count },
	{ "read", call_read, count },
	{ "datagram", call_datagram, count },
	{ "ping", call_ping, count_most },
	{ "transfer", call_transfer, count_transfer },
	{ "process", call_process, count_in_programs },
};

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		if (!strcmp(argv[i], "--cgroup"))
			move_to(argv[i + 1]);
		else if (!strcmp(argv[i], "--unshare"))
			leave_network();
		else if (!strcmp(argv[i], "--attach"))
			attach_empty(argv[i + 1]);
		else
			errx(2, "unknown option %s", argv[i]);
	}
	puts("ready");
	fflush(stdout);
	if (getchar() == EOF)
		return 0;
	open_what_calls_need();
	open_traffic();
	for (; i < argc; i++) {
		const struct call *call = CALLS;
		const struct call *end = CALLS + sizeof(CALLS) / sizeof(*CALLS);

		while (call < end && strcmp(call->name, argv[i]))
			call++;
		if (call == end)
			errx(2, "unknown call %s", argv[i]);
		printf("%s %ju\n", call->name, (uintmax_t)(call->count(call->make) - call->count(nothing)));
	}
	return 0;
}
