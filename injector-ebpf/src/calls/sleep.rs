//! How a thread sleeps in a program: in a page fault on the memory of a process that only waits. The page is
//! one of a file that is served late, and never comes (user side, `kernel::sleep`).

use core::ffi::c_void;

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns, generated::bpf_copy_from_user_task};
use injector_common::nap::{Place, STRIDE, TRIES, at_most, lasts_with, place};

use crate::{
    atomic,
    maps::{PLACES, SHARED},
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
    let taken = take_place(delay);
    if let Some((_, index)) = taken {
        fault(index);
    }
    // SAFETY: no arguments.
    let slept = unsafe { bpf_ktime_get_ns() } - start;
    if slept < delay && lasts_with(delay).is_none() {
        atomic::add(&SHARED.cut_short, 1);
    }
    // Last: who looks whether all are awake finds them counted.
    if let Some((place, _)) = taken {
        atomic::set(&place.thread, 0);
    }
}

/// A place of this thread alone, with what the server has to know.
#[inline(always)]
fn take_place(delay: u64) -> Option<(&'static Place, u32)> {
    let thread = bpf_get_current_pid_tgid() as u32;
    for nth in 0..TRIES {
        let index = place(thread, nth);
        let place = PLACES.get(index)?;
        if atomic::compare_exchange(&place.thread, 0, u64::from(thread)) == 0 {
            atomic::set(&place.delay, delay);
            return Some((place, index));
        }
    }
    None
}

/// Waits for the page at a place.
#[inline(always)]
fn fault(index: u32) {
    let address = atomic::get(&SHARED.bed) + u64::from(index) * STRIDE;
    let mut byte = 0u8;
    // SAFETY: a number; the task is given back, and the helper writes one byte if any.
    unsafe {
        let sleeper = kernel::task_from_pid(atomic::get(&SHARED.sleeper) as i32);
        if sleeper.is_null() {
            return;
        }
        bpf_copy_from_user_task((&raw mut byte).cast(), 1, address as *const c_void, sleeper, 0);
        kernel::task_release(sleeper);
    }
}
