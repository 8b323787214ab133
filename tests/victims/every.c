/* every ENTRY NUMBER...
 *
 * Makes each of the calls once, with arguments of 0, and notes what it returned. ENTRY is `syscall` or
 * `int80`, whose numbers are those of i386. Between the calls it makes none of its own, so all of them
 * may fail. A call that were not failed would run. */
#include <string.h>

#include "board.h"

static int64_t by_syscall(long number)
{
	long result;
	register long fourth __asm__("r10") = 0;
	register long fifth __asm__("r8") = 0;
	register long sixth __asm__("r9") = 0;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(0), "S"(0), "d"(0), "r"(fourth), "r"(fifth), "r"(sixth)
			 : "memory", "rcx", "r11");
	return result;
}

static int64_t by_int80(long number)
{
	int32_t result;

	/* The sixth argument is in ebp. */
	__asm__ volatile("lea -128(%%rsp), %%rsp; push %%rbp; xor %%ebp, %%ebp; int $0x80; pop %%rbp;"
			 "lea 128(%%rsp), %%rsp" /* past the red zone and back */
			 : "=a"(result)
			 : "a"((int32_t)number), "b"(0), "c"(0), "d"(0), "S"(0), "D"(0)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 95;
	unsigned long count = (unsigned long)argc - 2;
	int narrow = !strcmp(argv[1], "int80");
	static long numbers[1024];

	for (unsigned long i = 0; i < count; i++)
		numbers[i] = strtol(argv[i + 2], NULL, 10);
	board_map(1, count);
	board_start(0); /* until the rules are there */
	for (unsigned long i = 0; i < count; i++)
		board_note(0, i, narrow ? by_int80(numbers[i]) : by_syscall(numbers[i]));
	board_finish();
	__asm__ volatile("syscall" : : "a"(SYS_exit_group), "D"(0) : "memory", "rcx", "r11");
	return 0;
}
