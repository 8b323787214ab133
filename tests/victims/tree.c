/* tree OPERATION CALLS
 *
 * Everybody who can descend from a process, each under a number (tests/src/victim.rs names them): some
 * exist before the hold is lifted, the others are made after it, in every way that Linux has. Each makes
 * so many calls and notes the results. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "board.h"
#include "operation.h"

enum role {
	MAIN, THREAD, CHILD, ORPHAN, SESSION, EXECED, SIBLING, THREAD_OF_CHILD, CHILD_OF_THREAD,
	OLD_CHILD, OLD_THREAD, OLD_GRANDCHILD, NEW_CHILD_OF_OLD, ROLES
};

static const char *name;
static char *self, *count;
static unsigned long calls;

static void act(enum role role)
{
	struct operation op;

	operation_prepare(&op, name, role);
	board_start(role);
	for (unsigned long i = 0; i < calls; i++)
		board_note(role, i, operation_call(&op));
	board_finish();
}

static void *act_in_thread(void *role)
{
	act((enum role)(uintptr_t)role);
	return NULL;
}

static void *fork_in_thread(void *unused)
{
	pid_t child = fork();
	if (!child) {
		act(CHILD_OF_THREAD);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	return unused;
}

static pthread_t start(enum role role)
{
	pthread_t id;
	if (pthread_create(&id, NULL, act_in_thread, (void *)(uintptr_t)role))
		exit(96);
	return id;
}

/* Those who are there before the rules are. */
static void old_ones(void)
{
	if (fork())
		return;
	start(OLD_THREAD);
	if (!fork()) {
		act(OLD_GRANDCHILD);
		_exit(0);
	}
	act(OLD_CHILD);
	if (!fork()) {
		act(NEW_CHILD_OF_OLD);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	while (board->done < ROLES)
		nap();
	_exit(0);
}

static void new_ones(void)
{
	pthread_t id = start(THREAD), forker;

	if (!fork()) {
		pthread_t inner = start(THREAD_OF_CHILD);
		act(CHILD);
		pthread_join(inner, NULL);
		_exit(0);
	}
	if (!fork()) {
		if (!fork()) {
			/* Until the one in between has gone. */
			for (int i = 0; i < 20; i++)
				nap();
			act(ORPHAN);
		}
		_exit(0);
	}
	if (!fork()) {
		setsid();
		act(SESSION);
		_exit(0);
	}
	if (!vfork()) {
		execl(self, self, name, count, "execed", NULL);
		_exit(92);
	}
	/* A child of our parent. */
	if (!syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL)) {
		act(SIBLING);
		_exit(0);
	}
	if (pthread_create(&forker, NULL, fork_in_thread, NULL))
		exit(96);
	pthread_join(forker, NULL);
	pthread_join(id, NULL);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 95;
	self = argv[0];
	name = argv[1];
	count = argv[2];
	calls = strtoul(count, NULL, 10);
	board_map(ROLES, calls);
	if (argc > 3) {
		act(EXECED);
		return 0;
	}
	old_ones();
	act(MAIN);
	new_ones();
	while (board->done < ROLES)
		nap();
	return 0;
}
