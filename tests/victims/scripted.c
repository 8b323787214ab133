/* scripted ADDRESS PORT LEDGER FROM TO
 *
 * A server of HTTP whose law of latency and failures is known by the number that a request asks for: GET /NUMBER. One in 25
 * fails, and so do all from FROM to TO - 1. Each request that came gets a line in LEDGER, before it is answered: number and
 * status. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ledger;
static long from, to;

static void *serve(void *argument)
{
	int fd = (int)(intptr_t)argument;
	char text[2048];
	size_t length = 0;
	ssize_t more;

	while (length + 1 < sizeof text && (more = recv(fd, text + length, sizeof text - 1 - length, 0)) > 0) {
		length += (size_t)more;
		text[length] = 0;
		if (strstr(text, "\r\n\r\n"))
			break;
	}
	if (length > 5 && !strncmp(text, "GET /", 5)) {
		char line[64], answer[128];
		long number = strtol(text + 5, NULL, 10);
		int status = number % 25 == 7 || (number >= from && number < to) ? 503 : 200;

		/* 2 to 31 ms, and 300 ms once in 40. */
		usleep(2000 + (useconds_t)(number * 7919 % 97) * 300 + (number % 40 == 11 ? 300000 : 0));
		int size = snprintf(line, sizeof line, "%ld,%d\n", number, status);
		if (write(ledger, line, (size_t)size) != size)
			abort();
		size = snprintf(answer, sizeof answer,
				"HTTP/1.1 %d Said\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", status);
		send(fd, answer, (size_t)size, MSG_NOSIGNAL);
	}
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in own = { .sin_family = AF_INET };
	pthread_attr_t detached;
	int one = 1;

	if (argc != 6 || inet_pton(AF_INET, argv[1], &own.sin_addr) != 1)
		return 95;
	own.sin_port = htons((uint16_t)atoi(argv[2]));
	ledger = open(argv[3], O_WRONLY | O_CREAT | O_APPEND, 0644);
	from = atol(argv[4]);
	to = atol(argv[5]);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	if (ledger < 0 || listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
	    bind(listener, (struct sockaddr *)&own, sizeof own) || listen(listener, 128)) {
		perror("listen");
		return 94;
	}
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	for (;;) {
		pthread_t thread;
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0 && pthread_create(&thread, &detached, serve, (void *)(intptr_t)fd))
			close(fd);
	}
}
