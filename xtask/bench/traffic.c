/* Pings, and a transfer over TCP: both ends are here, so that nothing but the kernel's own work is between them. */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "traffic.h"

/* What goes over TCP at a time, and stays below its first window. */
#define CHUNK 32768

static int echo, near, far;

/* ping(8) without its clock: a request to the local host, and the kernel's answer. A raw socket gets both. */
void call_ping(void)
{
	struct icmphdr request = { .type = ICMP_ECHO, .checksum = htons(0xf7ff) };
	char packet[64];

	if (send(echo, &request, sizeof(request), 0) != sizeof(request) ||
	    recv(echo, packet, sizeof(packet), 0) < 0 || recv(echo, packet, sizeof(packet), 0) < 0)
		err(1, "ping of 127.0.0.1");
}

/* A piece of a long transfer over TCP: sent over lo and received. */
void call_transfer(void)
{
	static char bytes[CHUNK];
	ssize_t got, left = CHUNK;

	if (send(near, bytes, CHUNK, 0) != CHUNK)
		err(1, "send over lo");
	for (; left > 0; left -= got)
		if ((got = recv(far, bytes, left, 0)) <= 0)
			err(1, "receive over lo");
}

void open_traffic(void)
{
	struct sockaddr_in self = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(self);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || near < 0 || bind(listener, (struct sockaddr *)&self, length) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&self, &length) ||
	    connect(near, (struct sockaddr *)&self, length) || (far = accept(listener, NULL, NULL)) < 0)
		err(1, "a connection over lo");
	close(listener);
	echo = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	self.sin_port = 0;
	if (echo < 0 || connect(echo, (struct sockaddr *)&self, length))
		err(1, "a socket for ICMP");
}
