/* steady OPERATION GAP_MS [CALLS]
 *
 * Makes a call every so many milliseconds (0: without a pause), and keeps count of successes and
 * failures, until it is told to stop or has made CALLS. */
#include "board.h"
#include "operation.h"

int main(int argc, char **argv)
{
	if (argc < 3)
		return 95;
	unsigned long gap = strtoul(argv[2], NULL, 10);
	unsigned long calls = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	struct operation op;

	board_map(1, 0);
	operation_prepare(&op, argv[1], getpid());
	board_start(0);
	for (unsigned long made = 0; !board->stop && !(calls && made == calls); made++) {
		board_count(operation_call(&op));
		for (unsigned long i = 0; i < gap; i++)
			nap();
	}
	board_finish();
	return 0;
}
