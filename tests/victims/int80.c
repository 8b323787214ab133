/* int80 CALLS
 *
 * Makes calls by the kernel's 32-bit entry, with the numbers of i386. Built as a 32-bit program and as a
 * 64-bit one, which can use that entry just as well; without the C library, so that no 32-bit one is
 * needed. Worker 0: `read` by int 0x80, whose number 3 is `close` by the 64-bit entry. Workers 1 and 2:
 * `read` and a `close` of what is not open, by the entry that belongs to the program. */
#include <stdint.h>

struct board {
	uint32_t hold, stop, ready, done;
	uint64_t counts[6];
};

struct worker {
	int32_t pid, tid;
	uint32_t made, pad;
};

enum { EXIT = 1, OPEN = 5, GETPID = 20, MMAP2 = 192, READ_32 = 3, CLOSE_32 = 6, READ_64 = 0, CLOSE_64 = 3 };
enum { WORKERS = 3 };

/* Linked at an address below 4 GiB. */
static char byte, path[] = "int80";

static int32_t int80(int32_t number, const void *first, const void *second, long third, long fourth,
		     long fifth)
{
	int32_t result;
	/* The sixth argument is in ebp: mmap2 wants an offset of 0 there. */
#ifdef __x86_64__
	__asm__ volatile("lea -128(%%rsp), %%rsp; push %%rbp; xor %%ebp, %%ebp; int $0x80; pop %%rbp;"
			 "lea 128(%%rsp), %%rsp" /* past the red zone and back */
			 : "=a"(result)
			 : "a"(number), "b"(first), "c"(second), "d"(third), "S"(fourth), "D"(fifth)
			 : "memory", "r8", "r9", "r10", "r11");
#else
	__asm__ volatile("push %%ebp; xor %%ebp, %%ebp; int $0x80; pop %%ebp"
			 : "=a"(result)
			 : "a"(number), "b"(first), "c"(second), "d"(third), "S"(fourth), "D"(fifth)
			 : "memory");
#endif
	return result;
}

/* The program's own entry. */
static long own(long narrow, long wide, long first, const void *second, long third)
{
#ifdef __x86_64__
	long result;
	(void)narrow;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(wide), "D"(first), "S"(second), "d"(third)
			 : "memory", "rcx", "r11");
	return result;
#else
	(void)wide;
	return int80(narrow, (const void *)first, second, third, 0, 0);
#endif
}

static void leave(long code)
{
	int80(EXIT, (const void *)code, 0, 0, 0, 0);
	__builtin_unreachable();
}

__attribute__((used)) void start(long *stack)
{
	long calls = 0;
	if (stack[0] != 2)
		leave(95);
	for (const char *digit = (const char *)stack[2]; *digit; digit++)
		calls = calls * 10 + *digit - '0';
	long size = sizeof(struct board) + WORKERS * (sizeof(struct worker) + calls * sizeof(int64_t));
	/* Read and write, shared; descriptor 0. */
	int32_t address = int80(MMAP2, 0, (const void *)size, 3, 1, 0);
	int32_t fd = int80(OPEN, path, (const void *)0102, 0644, 0, 0);
	if ((address < 0 && address > -4096) || fd < 0)
		leave(94);
	struct board *board = (struct board *)(uintptr_t)(uint32_t)address;
	struct worker *workers = (struct worker *)(board + 1);
	int64_t *records = (int64_t *)(workers + WORKERS);
	int32_t pid = int80(GETPID, 0, 0, 0, 0, 0);

	for (long i = 0; i < calls; i++) {
		records[i] = int80(READ_32, (const void *)(long)fd, &byte, 1, 0, 0);
		records[calls + i] = own(READ_32, READ_64, fd, &byte, 1);
		records[2 * calls + i] = own(CLOSE_32, CLOSE_64, 1000, 0, 0);
	}
	for (int i = 0; i < WORKERS; i++) {
		workers[i].pid = workers[i].tid = pid;
		workers[i].made = calls;
	}
	board->ready = board->done = WORKERS;
	leave(0);
}

#ifdef __x86_64__
__asm__(".globl _start\n_start: xor %ebp, %ebp; mov %rsp, %rdi; and $-16, %rsp; call start");
#else
__asm__(".globl _start\n_start: xor %ebp, %ebp; mov %esp, %eax; push %eax; call start");
#endif
