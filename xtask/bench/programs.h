/* How long BPF programs ran, as the kernel itself measures it: by its scheduler's clock, around each run
 * (kernel.bpf_stats_enabled). For what is small beside the call in which it happens. */
#pragma once

#include <stdint.h>

/* Has the kernel measure from now on, or no longer. */
void programs_measured(int on);

/* Nanoseconds of all programs of the machine together, since they were loaded. */
uint64_t programs_time(void);
