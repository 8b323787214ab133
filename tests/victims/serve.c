/* serve ADDRESS
 *
 * A TCP server on a port of the kernel's choice, which it prints: one process with one thread that sends back what
 * comes, on as many connections as there are. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 64

int main(int argc, char **argv)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr *own = (struct sockaddr *)&v4;
	socklen_t size = sizeof v4;
	struct pollfd open[MOST];
	int count = 1, one = 1;

	if (argc != 2)
		return 95;
	if (inet_pton(AF_INET, argv[1], &v4.sin_addr) != 1) {
		if (inet_pton(AF_INET6, argv[1], &v6.sin6_addr) != 1)
			return 95;
		own = (struct sockaddr *)&v6;
		size = sizeof v6;
	}
	int listener = socket(own->sa_family, SOCK_STREAM, 0);
	if (listener < 0 || bind(listener, own, size) || listen(listener, 16) || getsockname(listener, own, &size)) {
		perror("listen");
		return 94;
	}
	printf("%u\n", ntohs(own->sa_family == AF_INET ? v4.sin_port : v6.sin6_port));
	fflush(stdout);
	open[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
	while (poll(open, count, -1) > 0) {
		int before = count;
		if (open[0].revents && count < MOST) {
			int fd = accept(listener, NULL, NULL);
			if (fd >= 0) {
				setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
				open[count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
			}
		}
		for (int i = before - 1; i > 0; i--) {
			char bytes[256];
			if (!open[i].revents)
				continue;
			ssize_t length = recv(open[i].fd, bytes, sizeof bytes, 0);
			if (length > 0 && send(open[i].fd, bytes, length, MSG_NOSIGNAL) == length)
				continue;
			close(open[i].fd);
			open[i] = open[--count];
		}
	}
	return 94;
}
