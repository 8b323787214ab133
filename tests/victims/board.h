/* The board: a file that test and victim share. The victim maps it from descriptor 0, which survives
 * fork and exec, and notes there what every call returned: with plain stores, so that no fault can
 * touch the evidence. The test reads and writes it as a file. Layout: tests/src/board.rs. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct board {
	uint32_t hold;	    /* workers wait while it is not 0 */
	uint32_t stop;	    /* endless ones end when it is not 0 */
	uint32_t ready;	    /* workers that came to the start */
	uint32_t done;	    /* workers that finished */
	uint64_t succeeded; /* calls so far, see board_count */
	uint64_t failed;
	int64_t error; /* the latest failure */
	uint64_t reserved[3];
};

struct worker {
	int32_t pid; /* as its own namespace numbers it */
	int32_t tid;
	uint32_t made; /* calls */
	uint32_t pad;
};

static struct board *board;
static struct worker *workers;
static int64_t *records;
static unsigned long per_worker;

/* Room for `count` workers of `calls` calls; the test has made the file that long. */
static void board_map(unsigned long count, unsigned long calls)
{
	size_t size = sizeof *board + count * sizeof *workers + count * calls * sizeof *records;
	board = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0);
	if (board == MAP_FAILED) {
		perror("victim: descriptor 0 is not a board");
		exit(99);
	}
	workers = (struct worker *)(board + 1);
	records = (int64_t *)(workers + count);
	per_worker = calls;
}

static inline void nap(void)
{
	struct timespec ms = { 0, 1000000 };
	syscall(SYS_nanosleep, &ms, NULL);
}

static inline void board_start(unsigned long worker)
{
	workers[worker].pid = (int32_t)syscall(SYS_getpid);
	workers[worker].tid = (int32_t)syscall(SYS_gettid);
	__atomic_add_fetch(&board->ready, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&board->hold, __ATOMIC_SEQ_CST))
		nap();
}

static inline void board_note(unsigned long worker, unsigned long call, int64_t value)
{
	records[worker * per_worker + call] = value;
	workers[worker].made = call + 1;
}

/* For those who keep no record of each call. */
static inline void board_count(int64_t result)
{
	if (result < 0) {
		board->error = result;
		board->failed++;
	} else {
		board->succeeded++;
	}
}

static inline void board_finish(void)
{
	__atomic_add_fetch(&board->done, 1, __ATOMIC_SEQ_CST);
}

#endif
