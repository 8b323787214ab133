/* calls OPERATION PROCESSES THREADS CALLS
 *
 * So many processes of so many threads make so many calls each and note every result. The tree is
 * regular, so that a model can tell each thread's position: main forks the processes in order, each starts
 * its threads in order. With 0 processes, main makes the calls itself. */
#include <pthread.h>
#include <sys/wait.h>

#include "board.h"
#include "operation.h"

static const char *name;
static unsigned long threads, calls;

static void work(unsigned long worker)
{
	struct operation op;

	operation_prepare(&op, name, worker);
	board_start(worker);
	for (unsigned long i = 0; i < calls; i++)
		board_note(worker, i, operation_call(&op));
	board_finish();
}

static void *thread(void *worker)
{
	work((unsigned long)worker);
	return NULL;
}

static void process(unsigned long number)
{
	pthread_t all[threads];

	for (unsigned long i = 0; i < threads; i++)
		if (pthread_create(&all[i], NULL, thread, (void *)(number * threads + i)))
			exit(96);
	for (unsigned long i = 0; i < threads; i++)
		pthread_join(all[i], NULL);
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 95;
	unsigned long processes = strtoul(argv[2], NULL, 10);
	name = argv[1];
	threads = strtoul(argv[3], NULL, 10);
	calls = strtoul(argv[4], NULL, 10);
	board_map(processes ? processes * threads : 1, calls);
	if (!processes) {
		work(0);
		return 0;
	}
	for (unsigned long i = 0; i < processes; i++) {
		pid_t child = fork();
		if (child < 0)
			return 94;
		if (!child)
			process(i);
	}
	int status, worst = 0;
	while (wait(&status) > 0)
		if (status)
			worst = 93;
	return worst;
}
