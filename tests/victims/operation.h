/* The calls that victims make, by name. Each works without rules, every time. */
#ifndef OPERATION_H
#define OPERATION_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What one thread needs for its calls. Files are in the working directory. */
struct operation {
	const char *name;
	int fd;
	int turned;
	char path[64], other[64];
};

/* By a call that no test makes fail. */
static inline int open_unseen(const char *path)
{
	struct open_how how = { .flags = O_RDWR | O_CREAT, .mode = 0644 };
	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

static inline void operation_prepare(struct operation *op, const char *name, unsigned long worker)
{
	op->name = name;
	op->turned = 0;
	op->fd = -1;
	snprintf(op->path, sizeof op->path, "%s-%lu", name, worker);
	snprintf(op->other, sizeof op->other, "%s-%lu-b", name, worker);
	if (!strcmp(name, "connect"))
		op->fd = socket(AF_INET, SOCK_DGRAM, 0);
	else if (strcmp(name, "mkdir") && strcmp(name, "getppid"))
		op->fd = open_unseen(op->path);
	else
		return;
	if (op->fd < 0) {
		perror("victim: cannot prepare");
		exit(98);
	}
}

/* Makes the call; a negative errno when it failed. */
static inline int64_t operation_call(struct operation *op)
{
	const char *name = op->name;
	char byte = 'x';
	long result;

	if (!strcmp(name, "getppid")) {
		result = syscall(SYS_getppid);
	} else if (!strcmp(name, "fsync")) {
		result = syscall(SYS_fsync, op->fd);
	} else if (!strcmp(name, "fdatasync")) {
		result = syscall(SYS_fdatasync, op->fd);
	} else if (!strcmp(name, "read")) {
		result = syscall(SYS_read, op->fd, &byte, 1);
	} else if (!strcmp(name, "pread64")) {
		result = syscall(SYS_pread64, op->fd, &byte, 1, 0);
	} else if (!strcmp(name, "write")) {
		result = syscall(SYS_write, op->fd, &byte, 1);
	} else if (!strcmp(name, "pwrite64")) {
		result = syscall(SYS_pwrite64, op->fd, &byte, 1, 0);
	} else if (!strcmp(name, "openat")) {
		result = syscall(SYS_openat, AT_FDCWD, op->path, O_RDONLY, 0);
		if (result >= 0)
			syscall(SYS_close, result);
	} else if (!strcmp(name, "connect")) {
		struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		result = syscall(SYS_connect, op->fd, &to, sizeof to);
#ifdef SYS_rename /* arm64 has only the calls that take descriptors of folders */
	} else if (!strcmp(name, "rename")) {
		result = op->turned ? syscall(SYS_rename, op->other, op->path)
				    : syscall(SYS_rename, op->path, op->other);
		if (result == 0)
			op->turned = !op->turned;
	} else if (!strcmp(name, "mkdir")) {
		result = syscall(SYS_mkdir, op->path, 0755);
		if (result == 0)
			syscall(SYS_rmdir, op->path);
#endif
	} else {
		fprintf(stderr, "victim: no operation %s\n", name);
		exit(97);
	}
	return result < 0 ? -errno : result;
}

#endif
