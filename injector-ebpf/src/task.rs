//! Fields of the running task that no helper gives: by offsets from the kernel's BTF.
//!
//! Pointers to kernel structures are read directly where the verifier knows their type (cheap, on the
//! path of every call of a target), and through `bpf_probe_read_kernel` where it does not.

use core::{
    arch::asm,
    cell::UnsafeCell,
    ffi::c_void,
    marker::PhantomData,
    mem::{MaybeUninit, offset_of},
};

use aya_ebpf::{
    bindings::{bpf_map_def, bpf_map_type::BPF_MAP_TYPE_TASK_STORAGE},
    helpers::{
        bpf_get_current_task_btf,
        generated::{
            bpf_get_current_comm, bpf_probe_read_kernel, bpf_task_pt_regs, bpf_task_storage_delete,
            bpf_task_storage_get,
        },
    },
};
use bytemuck::AnyBitPattern;
use injector_common::{
    call::{ABI_COMPAT, ABI_NATIVE},
    config::{FIELD_MARK, Offsets},
};

use crate::config::offset;

/// A `BPF_MAP_TYPE_TASK_STORAGE` map, which aya has not got. The cell puts it into the same, writable,
/// section as aya's own maps.
#[repr(transparent)]
pub struct TaskStorage<T>(UnsafeCell<bpf_map_def>, PhantomData<T>);

// SAFETY: the kernel does the locking; the definition itself is never written.

unsafe impl<T> Sync for TaskStorage<T> {}

/// A task_struct, as the kernel's helpers hand it out.
pub type Task = *mut aya_ebpf::bindings::task_struct;

impl<T> TaskStorage<T> {
    pub const fn new() -> Self {
        let definition = bpf_map_def {
            type_: BPF_MAP_TYPE_TASK_STORAGE,
            key_size: 4,
            value_size: size_of::<T>() as u32,
            max_entries: 0,
            map_flags: 1, // BPF_F_NO_PREALLOC, which the kernel insists on
            id: 0,
            pinning: 0,
        };
        Self(UnsafeCell::new(definition), PhantomData)
    }

    fn as_ptr(&self) -> *mut c_void {
        self.0.get().cast()
    }

    /// The state of `task`, null if it has none.
    #[inline(always)]
    pub fn get(&self, task: Task) -> *mut T {
        // SAFETY: a map and a task that the verifier has checked.
        unsafe { bpf_task_storage_get(self.as_ptr(), task.cast(), core::ptr::null_mut(), 0).cast() }
    }

    /// The state of `task`, made all zero if it has none; null if the kernel cannot make it now.
    #[inline(always)]
    pub fn get_or_create(&self, task: Task) -> *mut T {
        const CREATE: u64 = 1; // BPF_LOCAL_STORAGE_GET_F_CREATE
        // SAFETY: as above; a null value means zeroes (kernel/bpf/bpf_local_storage.c, bpf_selem_alloc).
        unsafe { bpf_task_storage_get(self.as_ptr(), task.cast(), core::ptr::null_mut(), CREATE).cast() }
    }

    /// Forgets the state of `task`.
    #[inline(always)]
    pub fn delete(&self, task: Task) {
        // SAFETY: as above.
        unsafe { bpf_task_storage_delete(self.as_ptr(), task.cast()) };
    }
}

/// The running task.
#[inline(always)]
pub fn current() -> Task {
    // SAFETY: no arguments; always a valid task.
    unsafe { bpf_get_current_task_btf() }
}

/// `PF_IO_WORKER` (include/linux/sched.h): a thread of a process, made by the kernel for io_uring.
pub const PF_IO_WORKER: u32 = 0x0000_0010;

/// `PF_KTHREAD` (include/linux/sched.h).
pub const PF_KTHREAD: u32 = 0x0020_0000;

/// A field of a structure whose type the verifier knows, by one instruction: the loader writes the offset
/// into it (see [`FIELD_MARK`]).
macro_rules! load {
    ($size:literal, $base:expr, $field:ident) => {{
        let value: u64;
        // SAFETY: reads kernel memory, as far as the verifier allows.
        unsafe {
            asm!(
                concat!("{value} = *(", $size, " *)({base} + {mark})"),
                value = lateout(reg) value,
                base = in(reg) $base,
                mark = const FIELD_MARK + (offset_of!(Offsets, $field) / 4) as i16,
                options(nostack, readonly),
            );
        }
        value
    }};
}

/// A field behind a pointer whose type the verifier does not know; zeroes when it cannot be read, which the helper itself
/// writes then (kernel/trace/bpf_trace.c, `bpf_probe_read_kernel_common`). No branch here: there is nothing to decide.
#[inline(always)]
pub fn probe<T: AnyBitPattern>(base: *const c_void, offset: usize) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper checks the address, and writes all of the value, for which any bits are one.
    unsafe {
        let field = base.cast::<u8>().wrapping_add(offset);
        bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, field.cast());
        value.assume_init()
    }
}

/// The system call that a task is in.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Call {
    /// The saved registers of the caller.
    regs: *const c_void,
    /// [`ABI_NATIVE`] or [`ABI_COMPAT`].
    pub abi: u32,
    /// The call's number in that ABI.
    pub number: u32,
}

impl Call {
    /// The call that `task`, the running one, is in.
    #[inline(always)]
    pub fn of(task: Task) -> Self {
        // SAFETY: the running task, which has saved registers.
        let regs = unsafe { bpf_task_pt_regs(task) } as *const c_void;
        // 32 bits of longer or equal scalars, little endian.
        let word = load!("u32", task, task_abi);
        let number = load!("u32", regs, regs_number) as u32;
        let abi = if word & offset!(abi_compat_bit) as u64 != 0 { ABI_COMPAT } else { ABI_NATIVE };
        Self { regs, abi, number }
    }

    /// The register at this offset of `pt_regs`. One of a 32-bit caller has nothing in its upper half.
    #[inline(always)]
    pub fn register(&self, offset: u16) -> u64 {
        probe(self.regs, usize::from(offset))
    }

    /// What it has come to, as long as it has not gone back to its caller.
    #[inline(always)]
    pub fn outcome(&self) -> i64 {
        returned(self.regs)
    }

    /// The caller's stack pointer.
    #[inline(always)]
    pub fn stack(&self) -> u64 {
        probe(self.regs, offset!(regs_stack))
    }

    /// Its first argument.
    #[inline(always)]
    pub fn first(&self) -> u64 {
        if self.abi == ABI_COMPAT {
            probe(self.regs, offset!(regs_compat[0]))
        } else {
            probe(self.regs, offset!(regs_native[0]))
        }
    }

    /// Writes the six argument registers, as the caller set them, to `args`.
    #[inline(always)]
    pub fn args(&self, args: &mut [u64; 6]) {
        macro_rules! copy {
            ($registers:ident) => {
                copy!($registers 0 1 2 3 4 5)
            };
            ($registers:ident $($nth:literal)+) => {
                $( args[$nth] = probe(self.regs, offset!($registers[$nth])); )+
            };
        }
        if self.abi == ABI_COMPAT {
            copy!(regs_compat);
        } else {
            copy!(regs_native);
        }
    }
}

/// What a function returns, in the registers of its kretprobe.
#[inline(always)]
pub fn returned(regs: *const c_void) -> i64 {
    probe(regs, offset!(regs_return))
}

/// The number of the task's cgroup in the unified hierarchy: what `bpf_get_current_cgroup_id` gives, in a
/// third of its instructions.
#[inline(always)]
pub fn cgroup_number(task: Task) -> u64 {
    let set = load!("u64", task, task_cgroups);
    let cgroup = load!("u64", set, css_set_dfl_cgrp);
    let node = load!("u64", cgroup, cgroup_kn);
    load!("u64", node, kn_id)
}

/// The thread's name, as it is kept: 16 bytes, zeroes behind it.
#[inline(always)]
pub fn comm() -> [u64; 2] {
    let mut comm = [0u64; 2];
    // SAFETY: room for 16 bytes.
    unsafe { bpf_get_current_comm((&raw mut comm).cast(), 16) };
    comm
}

/// The task's flags, such as [`PF_KTHREAD`].
#[inline(always)]
pub fn flags(task: Task) -> u32 {
    load!("u32", task, task_flags) as u32
}

/// Is the task acting under other credentials than its own?
///
/// A stacked file system does its own I/O on the layer below under the credentials of whoever mounted
/// it (`ovl_override_creds`, fs/overlayfs/util.c; `backing_file_read_iter`, fs/backing-file.c), within
/// the same system call. That is how the second run of a security hook in one call is told.
#[inline(always)]
pub fn has_borrowed_credentials(task: Task) -> bool {
    load!("u64", task, task_cred) != load!("u64", task, task_real_cred)
}

/// The `struct sock` of a `struct socket`, both known to the verifier.
#[inline(always)]
pub fn sock_of(socket: *const c_void) -> *mut c_void {
    load!("u64", socket, socket_sk) as *mut c_void
}

/// The leader of the task's process.
#[inline(always)]
pub fn leader(task: Task) -> Task {
    load!("u64", task, task_group_leader) as Task
}

/// Has the last thread of the task's process ended? To be asked in the thread that ends.
#[inline(always)]
pub fn process_has_ended(task: Task) -> bool {
    let signal: u64 = probe(task.cast(), offset!(task_signal));
    let live: u32 = probe(signal as *const c_void, offset!(signal_live));
    live == 0
}

/// The process's number in the initial namespace.
#[inline(always)]
pub fn process_number(task: Task) -> u32 {
    load!("u32", task, task_tgid) as u32
}

/// The task's number as its own pid namespace gives it.
#[inline(always)]
pub fn number_in_namespace(task: *const c_void) -> u32 {
    let pid: u64 = probe(task, offset!(task_thread_pid));
    let pid = pid as *const c_void;
    let level: u32 = probe(pid, offset!(pid_level));
    probe(pid, offset!(pid_numbers) + (level as usize & 31) * offset!(upid_size))
}
