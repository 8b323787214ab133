/* visit tcp|held|udp ADDRESS PORT
 * visit dns ADDRESS PORT NAME [edns|two|cut|said]
 *
 * A client that says what it was told: a line for each step, its name and the error, such as `connect ECONNREFUSED`,
 * and how many milliseconds it took. `tcp` connects and talks to its server until something fails; `held` waits in
 * between for a line on its standard input. `udp` sends one datagram and waits a second for an answer; `dns` asks for
 * a name's address and says how it was answered: with EDNS, two questions in one, a name that is cut off, or what is an
 * answer by itself, if it is told so. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

static long started;

static long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Tells what came of a step; 0 if it went well. */
static int step(const char *name, ssize_t result)
{
	const char *error = result < 0 ? strerrorname_np(errno) : "ok";
	printf("%s %s %ld\n", name, error ? error : "?", now_ms() - started);
	fflush(stdout);
	return result < 0;
}

static int ask(int fd, const char *name, const char *how)
{
	uint8_t query[512] = { 0x12, 0x34, 1, 0, 0, 1 }, answer[512];
	size_t length = 12;
	while (*name) {
		size_t label = strcspn(name, ".");
		query[length++] = label;
		memcpy(query + length, name, label);
		length += label;
		name += label + (name[label] == '.');
	}
	memcpy(query + length, "\0\0\1\0\1", 5);
	length += 5;
	if (!strcmp(how, "edns")) {
		/* OPT, for answers of 1232 bytes (RFC 6891). */
		memcpy(query + length, "\0\0\x29\x04\xd0\0\0\0\0\0\0", 11);
		length += 11;
		query[11] = 1;
	} else if (!strcmp(how, "two")) {
		memcpy(query + length, "\0\0\1\0\1", 5);
		length += 5;
		query[5] = 2;
	} else if (!strcmp(how, "cut")) {
		length -= 6;
	} else if (!strcmp(how, "said")) {
		query[2] |= 0x80;
	}
	if (step("send", send(fd, query, length, 0)))
		return 1;
	ssize_t got = recv(fd, answer, sizeof answer, 0);
	if (step("recv", got))
		return 1;
	int whole = got == (ssize_t)length && answer[2] & 0x80 && !memcmp(answer, query, 2) &&
		    !memcmp(answer + 4, query + 4, length - 4);
	printf("%s %d\n", whole ? "rcode" : "garbled", answer[3] & 15);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 95;
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[3])) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(argv[3])) };
	struct sockaddr *to = (struct sockaddr *)&v4;
	socklen_t size = sizeof v4;
	int stream = argv[1][0] == 't' || argv[1][0] == 'h';
	char byte = 'x';

	if (inet_pton(AF_INET, argv[2], &v4.sin_addr) != 1) {
		if (inet_pton(AF_INET6, argv[2], &v6.sin6_addr) != 1)
			return 95;
		to = (struct sockaddr *)&v6;
		size = sizeof v6;
	}
	int fd = socket(to->sa_family, stream ? SOCK_STREAM : SOCK_DGRAM, 0);
	struct timeval second = { .tv_sec = 1 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
	started = now_ms();
	if (step("connect", connect(fd, to, size)))
		return 1;
	if (!strcmp(argv[1], "held"))
		getchar();
	if (argc > 4)
		return ask(fd, argv[4], argc > 5 ? argv[5] : "");
	for (int round = 0; round < (stream ? 100 : 1); round++) {
		if (step("send", send(fd, &byte, 1, MSG_NOSIGNAL)) || step("recv", recv(fd, &byte, 1, 0)))
			return 1;
	}
	return 0;
}
