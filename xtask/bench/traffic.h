/* Calls of the measuring program that are packets: of ICMP, and of a transfer over TCP. */
#pragma once

/* Opens the sockets that both need. */
void open_traffic(void);

/* A ping of the local host. */
void call_ping(void);

/* A piece of the transfer. */
void call_transfer(void);
