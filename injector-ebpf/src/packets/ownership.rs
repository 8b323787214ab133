//! Whose a socket is, where a target is a process tree: one that a thread of the tree has made, had open when the
//! plan began, or accepted on one of these. Sockets know no process, so they are marked, and packets are told by
//! their socket's mark.

use core::{cell::UnsafeCell, ffi::c_void};

use aya_ebpf::{
    bindings::{__sk_buff, bpf_map_def, bpf_map_type::BPF_MAP_TYPE_SK_STORAGE},
    helpers::generated::{bpf_get_listener_sock, bpf_sk_storage_get, bpf_skb_cgroup_id, bpf_sock_from_file},
};
use injector_common::thread::TARGET;

use crate::{
    atomic,
    config::{config, offset},
    maps::{CGROUPS, SHARED, THREADS},
    packets::{egress, ingress, tc::TC_NEXT},
    target,
    task::{self, Task, current},
};

/// `SOCK_STREAM` (include/linux/net.h).
const STREAM: u64 = 1;

/// `AF_INET` and `AF_INET6` (include/linux/socket.h).
const INET: u16 = 2;
const INET6: u16 = 10;

/// The marked sockets. What matters is that there is a value.
#[unsafe(no_mangle)]
#[unsafe(link_section = "maps")]
pub static SOCKETS: SocketStorage = SocketStorage(UnsafeCell::new(bpf_map_def {
    type_: BPF_MAP_TYPE_SK_STORAGE,
    key_size: 4,
    value_size: 4,
    max_entries: 0,
    // BPF_F_NO_PREALLOC, which the kernel insists on, and BPF_F_CLONE: what a marked socket accepts is marked
    // (net/core/bpf_sk_storage.c, `bpf_sk_storage_clone`).
    map_flags: 1 | 1 << 9,
    id: 0,
    pinning: 0,
}));

/// A `BPF_MAP_TYPE_SK_STORAGE` map, which aya has not got. The cell puts it into the writable section of the others.
#[repr(transparent)]
pub struct SocketStorage(UnsafeCell<bpf_map_def>);

// SAFETY: the kernel does the locking; the definition itself is never written.

unsafe impl Sync for SocketStorage {}

impl SocketStorage {
    /// Marks the `struct sock`. Where there is no memory for it, it stays unmarked.
    #[inline(always)]
    fn mark(&self, sock: *mut c_void) {
        const CREATE: u64 = 1; // BPF_SK_STORAGE_GET_F_CREATE
        if !sock.is_null() {
            // SAFETY: a map and a socket that the verifier has checked; a null value means zeroes.
            unsafe { bpf_sk_storage_get(self.0.get().cast(), sock, core::ptr::null_mut(), CREATE) };
        }
    }

    /// Is it marked? Never true of what is no full socket.
    #[inline(always)]
    pub fn marked(&self, sock: *mut c_void) -> bool {
        // SAFETY: as above.
        unsafe { !bpf_sk_storage_get(self.0.get().cast(), sock, core::ptr::null_mut(), 0).is_null() }
    }
}

/// Runs when a socket has been made (net/socket.c, `__sock_create`), in the thread that makes it.
// match-proto: security_socket_post_create(struct socket *sock, int family, int type, int protocol, int kern)
#[unsafe(no_mangle)]
#[unsafe(link_section = "fexit/security_socket_post_create")]
pub extern "C" fn socket_made(ctx: *const u64) -> i64 {
    if !target::maybe_target() || !in_a_tree(current()) {
        return 0;
    }
    // SAFETY: the function's arguments, and what it returns.
    let (socket, kind, by_kernel, failed) =
        unsafe { (*ctx, *ctx.add(2) as u32, *ctx.add(4) as u32, *ctx.add(5) as u32) };
    // What the kernel makes for itself is left out, such as the sockets that answer for a new network namespace, but
    // not the connection below one of MPTCP (net/mptcp/subflow.c, `mptcp_subflow_create_socket`).
    if failed == 0 && (by_kernel == 0 || u64::from(kind) == STREAM) {
        SOCKETS.mark(task::sock_of(socket as *const c_void));
    }
    0
}

/// Runs for every open file of every process, when user space asks for it.
// match-proto: bpf_iter_task_file(struct bpf_iter_meta *meta, struct task_struct *task, u32 fd, struct file *file)
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub extern "C" fn sockets_open(ctx: *const u64) -> i64 {
    // SAFETY: the iterator's arguments.
    let (task, file) = unsafe { (*ctx.add(1) as Task, *ctx.add(3) as *mut c_void) };
    if task.is_null() || file.is_null() || !in_a_tree(task) {
        return 0;
    }
    // SAFETY: a file that the verifier knows.
    let socket = unsafe { bpf_sock_from_file(file.cast()) };
    if !socket.is_null() {
        SOCKETS.mark(task::sock_of(socket.cast()));
    }
    0
}

/// Runs for every open file of every process, when user space asks for it: counts the sockets of those who live in a
/// target cgroup that belong to a cgroup which is none. Their packets pass.
// match-proto: bpf_iter_task_file(struct bpf_iter_meta *meta, struct task_struct *task, u32 fd, struct file *file)
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub extern "C" fn sockets_elsewhere(ctx: *const u64) -> i64 {
    // SAFETY: the iterator's arguments.
    let (task, file) = unsafe { (*ctx.add(1) as Task, *ctx.add(3) as *mut c_void) };
    // Where sockets have no cgroup there is nothing to read.
    if offset!(sock_cgroup) == 0 || task.is_null() || file.is_null() {
        return 0;
    }
    if !is_target(task::cgroup_number(task)) || in_a_tree(task) {
        return 0;
    }
    // SAFETY: a file that the verifier knows.
    let socket = unsafe { bpf_sock_from_file(file.cast()) };
    if socket.is_null() {
        return 0;
    }
    let sock = task::sock_of(socket.cast());
    let family: u16 = task::probe(sock, offset!(sock_family));
    let cgroup: u64 = task::probe(sock, offset!(sock_cgroup));
    let node: u64 = task::probe(cgroup as *const c_void, offset!(cgroup_kn));
    let number: u64 = task::probe(node as *const c_void, offset!(kn_id));
    // Nothing that cannot be read has a number.
    if (family == INET || family == INET6) && number != 0 && !is_target(number) {
        atomic::fetch_add(&SHARED.elsewhere, 1);
    }
    0
}

/// Is this the number of a target cgroup, or of one below?
#[inline(always)]
fn is_target(cgroup: u64) -> bool {
    // SAFETY: nothing of the value is kept.
    unsafe { CGROUPS.get(cgroup) }.is_some()
}

/// Is it a thread of a target by itself, whatever its cgroup?
#[inline(always)]
fn in_a_tree(task: Task) -> bool {
    let mut state = THREADS.get(task);
    if state.is_null() {
        state = target::waiting(task);
    }
    // One that was there before the plan is known by its process.
    if state.is_null() {
        state = THREADS.get(task::leader(task));
    }
    // SAFETY: not null, and valid while the program runs.
    !state.is_null() && unsafe { (*state).flags } & TARGET != 0
}

/// As [`ingress::ingress`], where a target is a process tree: attached to the root of all cgroups.
#[unsafe(no_mangle)]
#[unsafe(link_section = "cgroup_skb/ingress")]
pub extern "C" fn tree_ingress(skb: *mut __sk_buff) -> i64 {
    // Those of a target cgroup are asked about there.
    if !of_a_tree(skb) || of_a_cgroup(skb).is_some() {
        return 1;
    }
    ingress::come_in(skb)
}

/// As [`egress::egress`], where a target is a process tree.
#[unsafe(no_mangle)]
#[unsafe(link_section = "classifier/tree_egress")]
pub extern "C" fn tree_egress(skb: *mut __sk_buff) -> i64 {
    if !of_a_tree(skb) && of_a_cgroup(skb).is_none() {
        return TC_NEXT;
    }
    // SAFETY: the program's own context.
    egress::leave(skb, unsafe { bpf_skb_cgroup_id(skb) })
}

/// The target of the packet's cgroup.
#[inline(always)]
fn of_a_cgroup(skb: *mut __sk_buff) -> Option<u32> {
    if config!(cgroups) == 0 {
        return None;
    }
    // SAFETY: the program's own context; the value is copied out at once.
    unsafe { CGROUPS.get(bpf_skb_cgroup_id(skb)) }.copied()
}

/// Does the packet belong to a marked socket? An answer to a connection's first packet belongs to a request, which
/// stands for the socket that listens.
#[inline(always)]
fn of_a_tree(skb: *mut __sk_buff) -> bool {
    // SAFETY: a field of the context.
    let sock = unsafe { (*skb).__bindgen_anon_2.sk };
    if sock.is_null() {
        return false;
    }
    if SOCKETS.marked(sock.cast()) {
        return true;
    }
    // SAFETY: a socket that the verifier knows.
    let listener = unsafe { bpf_get_listener_sock(sock) };
    !listener.is_null() && SOCKETS.marked(listener.cast())
}
