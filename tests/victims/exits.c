/* exits OPERATION ROUNDS THREADS
 *
 * Starts a process of so many threads that all call exit_group at once, and waits for its end; that many
 * times, one after the other. Then makes a call every millisecond and keeps count, until it is told to stop. */
#include <pthread.h>
#include <sys/wait.h>

#include "board.h"
#include "operation.h"

static pthread_barrier_t together;

static void *leave(void *unused)
{
	pthread_barrier_wait(&together);
	syscall(SYS_exit_group, 0);
	return unused;
}

static void crowd(unsigned long threads)
{
	pthread_t id;
	pthread_attr_t small;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	pthread_barrier_init(&together, NULL, threads);
	for (unsigned long i = 1; i < threads; i++)
		if (pthread_create(&id, &small, leave, NULL))
			_exit(96);
	leave(NULL);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 95;
	unsigned long rounds = strtoul(argv[2], NULL, 10), threads = strtoul(argv[3], NULL, 10);
	struct operation op;

	board_map(1, 0);
	operation_prepare(&op, argv[1], getpid());
	board_start(0);
	for (unsigned long i = 0; i < rounds; i++) {
		int status;
		pid_t child = fork();
		if (child < 0)
			return 94;
		if (!child)
			crowd(threads);
		if (waitpid(child, &status, 0) != child || status)
			return 93;
	}
	while (!board->stop) {
		board_count(operation_call(&op));
		nap();
	}
	board_finish();
	return 0;
}
