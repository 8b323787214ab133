/* clock
 *
 * Writes CLOCK_BOOTTIME in nanoseconds to descriptor 1, a line every two milliseconds, until it is killed. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	for (;;) {
		struct timespec now, gap = { 0, 2000000 };
		char line[32];

		clock_gettime(CLOCK_BOOTTIME, &now);
		int length = snprintf(line, sizeof line, "%" PRIu64 "\n",
				      (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
		if (write(1, line, (size_t)length) != length)
			return 1;
		nanosleep(&gap, NULL);
	}
}
