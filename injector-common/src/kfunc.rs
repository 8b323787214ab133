//! Kernel functions that programs call, by numbers far from those of all helpers: a program is compiled with
//! these, and the loader puts in the running kernel's own.

/// `bpf_task_from_pid` (kernel/bpf/helpers.c, since 6.2).
pub const TASK_FROM_PID: i32 = 0x4b00_0000;
/// `bpf_task_release`.
pub const TASK_RELEASE: i32 = 0x4b00_0001;

/// All of them, with their names.
pub const ALL: [(i32, &str); 2] = [(TASK_FROM_PID, "bpf_task_from_pid"), (TASK_RELEASE, "bpf_task_release")];
