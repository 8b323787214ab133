/* datagrams ADDRESS PORT COUNT GAP_MS [held]
 *
 * Sends numbered UDP datagrams to an echo server and collects the echoes; then prints one line:
 * `sent N refused N received N: NUMBER…`, the numbers of the echoes that came, in order.
 * With `held` it has its socket before it waits for its standard input to end, and only then sends.
 *
 * It stays on one processor: each has its own queue of what comes in by lo or a veth (net/core/dev.c,
 * `enqueue_to_backlog`), so the packets of a sender that moves can change places. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LIMIT 100000

static uint8_t came[LIMIT];

static long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Takes what comes until `until`, in milliseconds. */
static void collect(int fd, long until)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	for (;;) {
		long left = until - now_ms();
		uint32_t number;
		if (poll(&ready, 1, left < 0 ? 0 : (int)left) <= 0)
			return;
		if (recv(fd, &number, sizeof number, MSG_DONTWAIT) == sizeof number && number < LIMIT)
			came[number] = 1;
	}
}

static uint32_t received_of(uint32_t count)
{
	uint32_t received = 0;
	for (uint32_t number = 0; number < count; number++)
		received += came[number];
	return received;
}

int main(int argc, char **argv)
{
	if (argc != 5 && argc != 6)
		return 95;
	uint32_t count = strtoul(argv[3], NULL, 10), refused = 0, received;
	long gap = strtol(argv[4], NULL, 10);
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[2])) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(argv[2])) };
	struct sockaddr *to = (struct sockaddr *)&v4;
	socklen_t size = sizeof v4;

	if (count > LIMIT)
		return 95;
	cpu_set_t here;
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	if (sched_setaffinity(0, sizeof here, &here)) {
		perror("sched_setaffinity");
		return 94;
	}
	if (inet_pton(AF_INET, argv[1], &v4.sin_addr) != 1) {
		if (inet_pton(AF_INET6, argv[1], &v6.sin6_addr) != 1)
			return 95;
		to = (struct sockaddr *)&v6;
		size = sizeof v6;
	}
	int fd = socket(to->sa_family, SOCK_DGRAM, 0);
	if (fd < 0) {
		perror("socket");
		return 94;
	}
	while (argc == 6 && getchar() != EOF)
		;
	for (uint32_t number = 0; number < count; number++) {
		if (sendto(fd, &number, sizeof number, 0, to, size) != sizeof number)
			refused++;
		collect(fd, now_ms() + gap);
	}
	collect(fd, now_ms() + 1000);
	received = received_of(count);
	/* Some are missing: lost, or the machine is so slow. */
	if (received > 0 && received < count) {
		collect(fd, now_ms() + 2000);
		received = received_of(count);
	}
	printf("sent %u refused %u received %u:", count, refused, received);
	for (uint32_t number = 0; number < count; number++)
		if (came[number])
			printf(" %u", number);
	printf("\n");
	return 0;
}
