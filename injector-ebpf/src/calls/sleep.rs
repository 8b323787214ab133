//! How a thread sleeps in a program: in a page fault on the memory of a process that only waits. The page is
//! one of a file that is served late, and never comes (user side, `kernel::sleep`).

use core::ffi::c_void;

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns, generated::bpf_copy_from_user_task};
use injector_common::sleep::{STRIDE, SleepSlot, TRIES, at_most, lasts_with, slot};

use crate::{
    atomic,
    maps::{SHARED, SLEEP_SLOTS},
    task::Task,
};

/// Kernel functions, by numbers that no helper has: the loader knows them and puts the real ones there.
mod kernel {
    use core::mem::transmute;

    use injector_common::kfunc::{TASK_FROM_PID, TASK_RELEASE};

    use super::Task;

    /// The process or thread of that number in the initial namespace, null if there is none.
    #[inline(always)]
    pub unsafe fn task_from_pid(number: i32) -> Task {
        // SAFETY: never called at this address: the compiler makes a call by number of it.
        let function: extern "C" fn(i32) -> Task = unsafe { transmute(TASK_FROM_PID as usize) };
        function(number)
    }

    /// Gives it back.
    #[inline(always)]
    pub unsafe fn task_release(task: Task) {
        // SAFETY: as above.
        let function: extern "C" fn(Task) = unsafe { transmute(TASK_RELEASE as usize) };
        function(task);
    }
}

/// Sleeps, but not longer than anybody may: in a page fault on the memory of a process that only waits, until the server answers. What comes
/// back is an error, always.
#[inline(always)]
pub fn sleep(delay: u64) {
    let delay = at_most(delay, atomic::get(&SHARED.longest));
    // SAFETY: no arguments.
    let start = unsafe { bpf_ktime_get_ns() };
    let taken = take_slot(delay);
    if let Some((_, index)) = taken {
        fault(index);
    }
    // SAFETY: no arguments.
    let slept = unsafe { bpf_ktime_get_ns() } - start;
    if slept < delay && lasts_with(delay).is_none() {
        atomic::add(&SHARED.cut_short, 1);
    }
    // Last: who looks whether all are awake finds them counted.
    if let Some((slot, _)) = taken {
        atomic::set(&slot.thread, 0);
    }
}

/// A slot of this thread alone, with what the server has to know.
#[inline(always)]
fn take_slot(delay: u64) -> Option<(&'static SleepSlot, u32)> {
    let thread = bpf_get_current_pid_tgid() as u32;
    for nth in 0..TRIES {
        let index = slot(thread, nth);
        let slot = SLEEP_SLOTS.get(index)?;
        if atomic::compare_exchange(&slot.thread, 0, u64::from(thread)) == 0 {
            atomic::set(&slot.delay, delay);
            return Some((slot, index));
        }
    }
    None
}

/// Waits for the page of a slot.
#[inline(always)]
fn fault(index: u32) {
    let address = atomic::get(&SHARED.pager_slots) + u64::from(index) * STRIDE;
    let mut byte = 0u8;
    // SAFETY: a number; the task is given back, and the helper writes one byte if any.
    unsafe {
        let pager = kernel::task_from_pid(atomic::get(&SHARED.pager) as i32);
        if pager.is_null() {
            return;
        }
        bpf_copy_from_user_task((&raw mut byte).cast(), 1, address as *const c_void, pager, 0);
        kernel::task_release(pager);
    }
}
