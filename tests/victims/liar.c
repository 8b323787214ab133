/* liar PORT EVERY TIMES
 *
 * A server of HTTP that says yes to each PUT /NUMBER and gives all numbers that it has for GET /. One of EVERY it says
 * yes to and forgets, so many times; it tells which on its output. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 100000

static long kept[MOST];
static int count;
static long times;

static void put(long number, long every)
{
	static long puts;

	if (++puts % every == every / 2 && times-- > 0)
		printf("forgot %ld\n", number), fflush(stdout);
	else if (count < MOST)
		kept[count++] = number;
}

static void answer(int client, long every)
{
	static char body[MOST * 8];
	char request[4096] = "", head[128];
	size_t length = 0, size = 0;

	while (!strstr(request, "\r\n\r\n") && length < sizeof request - 1) {
		ssize_t got = recv(client, request + length, sizeof request - 1 - length, 0);
		if (got <= 0)
			return;
		length += got;
		request[length] = 0;
	}
	if (!strncmp(request, "PUT /", 5))
		put(atol(request + 5), every);
	else
		for (int i = 0; i < count && size < sizeof body - 32; i++)
			size += sprintf(body + size, "%ld\n", kept[i]);
	int written = sprintf(head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", size);
	if (send(client, head, written, MSG_NOSIGNAL) == written)
		for (size_t at = 0; at < size;) {
			ssize_t sent = send(client, body + at, size - at, MSG_NOSIGNAL);
			if (sent <= 0)
				return;
			at += sent;
		}
}

int main(int argc, char **argv)
{
	struct sockaddr_in own = { .sin_family = AF_INET };
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

	if (argc != 4)
		return 95;
	times = atol(argv[3]);
	own.sin_port = htons(atoi(argv[1]));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (listener < 0 || bind(listener, (struct sockaddr *)&own, sizeof own) || listen(listener, 128)) {
		perror("listen");
		return 94;
	}
	for (;;) {
		int client = accept(listener, NULL, NULL);
		if (client < 0)
			return 94;
		answer(client, atol(argv[2]));
		close(client);
	}
}
