/* takeover COMMAND…
 *
 * Stops until somebody lets it go on. Then a thread that is not the first executes the command, and takes the
 * process over. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static void *execute(void *command)
{
	char **words = command;

	execv(words[0], words);
	_exit(96);
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc < 2)
		return 95;
	raise(SIGSTOP);
	if (pthread_create(&thread, NULL, execute, argv + 1))
		return 94;
	for (;;)
		pause();
}
