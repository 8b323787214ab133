//! What is fixed when a plan is loaded: constants for the verifier, which drops the code of everything
//! that the plan does not need.

use bytemuck::{Pod, Zeroable};

use crate::session::Session;

/// Marks a load from a kernel structure, in the offset that the instruction itself holds: the loader puts
/// there, for the mark plus `n`, what the `n`th word of [`Offsets`] says. An offset that has to be read and
/// added first costs three instructions, on the path of everybody. No load of ours is that far from its base.
pub const FIELD_MARK: i16 = 0x7f00;

/// Offsets of kernel structures, in bytes, read from the running kernel's BTF (rustc emits no CO-RE
/// relocations). 0 where the plan needs no such field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Offsets {
    /// The word that says which ABI the task's call came by: `thread_info.status` on x86-64,
    /// `thread_info.flags` on arm64, from the start of `task_struct`.
    pub task_abi: u32,
    /// The bit of it that means 32-bit: `TS_COMPAT`, or `TIF_32BIT`.
    pub abi_compat_bit: u32,
    /// `task_struct.flags`.
    pub task_flags: u32,
    /// `task_struct.group_leader`.
    pub task_group_leader: u32,
    /// `task_struct.thread_pid`.
    pub task_thread_pid: u32,
    /// `task_struct.cred`.
    pub task_cred: u32,
    /// `task_struct.real_cred`.
    pub task_real_cred: u32,
    /// `task_struct.tgid`.
    pub task_tgid: u32,
    /// `task_struct.cgroups`.
    pub task_cgroups: u32,
    /// `css_set.dfl_cgrp`.
    pub css_set_dfl_cgrp: u32,
    /// `task_struct.signal`.
    pub task_signal: u32,
    /// `signal_struct.live`: threads of the process that have not ended.
    pub signal_live: u32,
    /// `pid.level`.
    pub pid_level: u32,
    /// `pid.numbers`, an array of `upid`.
    pub pid_numbers: u32,
    /// The size of `upid`; its `nr` is at 0.
    pub upid_size: u32,
    /// `pt_regs.orig_ax`, or `pt_regs.syscallno`.
    pub regs_number: u32,
    /// The six arguments of a native call, in `pt_regs`.
    pub regs_native: [u32; 6],
    /// The six arguments of a 32-bit call, in `pt_regs`.
    pub regs_compat: [u32; 6],
    /// What a function or a call returns, in `pt_regs`.
    pub regs_return: u32,
    /// The stack pointer, in `pt_regs`.
    pub regs_stack: u32,
    /// `cgroup.kn`.
    pub cgroup_kn: u32,
    /// `cgroup.root`.
    pub cgroup_root: u32,
    /// `cgroup_root.hierarchy_id`; 0 is the unified hierarchy.
    pub root_hierarchy: u32,
    /// `kernfs_node.id`.
    pub kn_id: u32,
    /// `kernfs_node.parent` (`__parent` since 6.15).
    pub kn_parent: u32,
    /// `socket.sk`.
    pub socket_sk: u32,
    /// `sock.__sk_common.skc_family`.
    pub sock_family: u32,
    /// `sock.sk_cgrp_data.cgroup`; 0 where sockets have none.
    pub sock_cgroup: u32,
}

/// Offsets of what calls and operations are about: files, folders, mounts, sockets; and of signals. Kept apart
/// from [`Offsets`], since no load is marked for them: they are read by targets only, through
/// `bpf_probe_read_kernel`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct ObjectOffsets {
    /// `task_struct.fs`.
    pub task_fs: u32,
    /// `fs_struct.root`, a `struct path`.
    pub fs_root: u32,
    /// `file.f_path`, a `struct path`.
    pub file_path: u32,
    /// `path.mnt`.
    pub path_mnt: u32,
    /// `path.dentry`.
    pub path_dentry: u32,
    /// `vfsmount.mnt_root`.
    pub mnt_root: u32,
    /// `mount.mnt`, the `vfsmount` inside.
    pub mount_mnt: u32,
    /// `mount.mnt_parent`.
    pub mount_parent: u32,
    /// `mount.mnt_mountpoint`.
    pub mount_mountpoint: u32,
    /// `dentry.d_parent`.
    pub dentry_parent: u32,
    /// The length in `dentry.d_name`.
    pub dentry_name_length: u32,
    /// The pointer in `dentry.d_name`.
    pub dentry_name: u32,
    /// `socket.sk`.
    pub socket_sk: u32,
    /// `sock_common.skc_family`.
    pub sk_family: u32,
    /// `sock_common.skc_daddr`.
    pub sk_peer_v4: u32,
    /// `sock_common.skc_v6_daddr`; 0 in kernels without IPv6.
    pub sk_peer_v6: u32,
    /// `sock_common.skc_dport`, in network order.
    pub sk_peer_port: u32,
    /// `sock_common.skc_num`, in host order.
    pub sk_own_port: u32,
    /// `msghdr.msg_name`.
    pub message_name: u32,
    /// `task_struct.files`.
    pub task_files: u32,
    /// `files_struct.fdt`.
    pub files_fdt: u32,
    /// `fdtable.max_fds`.
    pub fdt_max_fds: u32,
    /// `fdtable.fd`.
    pub fdt_fd: u32,
    /// `file.f_inode`.
    pub file_inode: u32,
    /// `inode.i_mode`.
    pub inode_mode: u32,
    /// `file.private_data`, which is the socket where the inode is one.
    pub file_private: u32,
    /// `k_sigaction.sa.sa_handler`.
    pub action_handler: u32,
    /// `k_sigaction.sa.sa_flags`.
    pub action_flags: u32,
    /// `sk_buff.head`, from which the headers' places are counted.
    pub skb_head: u32,
    /// `sk_buff.data`, from which the helpers count.
    pub skb_data: u32,
    /// `sk_buff.network_header`.
    pub skb_network_header: u32,
    /// Keeps the size a multiple of eight.
    pub _pad: u32,
}

/// [`Config::features`]: predicates on arguments.
pub const USES_ARGUMENTS: u32 = 1;
/// [`Config::features`]: threads' names.
pub const USES_NAMES: u32 = 2;
/// [`Config::features`]: counting by process or by rule.
pub const USES_SCOPES: u32 = 4;
/// [`Config::features`]: signals.
pub const USES_SIGNALS: u32 = 8;
/// [`Config::features`]: a choice of errors.
pub const USES_CHOICES: u32 = 16;
/// [`Config::features`]: rules for calls that have run.
pub const USES_OUTCOMES: u32 = 32;
/// [`Config::features`]: delays.
pub const USES_DELAYS: u32 = 64;
/// [`Config::features`]: operations, and what calls are about.
pub const USES_OBJECTS: u32 = 128;
/// [`Config::features`]: packets that are answered.
pub const USES_ANSWERS: u32 = 256;
/// [`Config::features`]: questions for names.
pub const USES_DNS: u32 = 512;
/// [`Config::features`]: every fault is told of, as an event.
pub const USES_RECORDS: u32 = 1024;
/// What programs have that are to serve any change of their plan: all but [`USES_OBJECTS`], for which every
/// thread of a target has memory for a path, and every plan two tables of a megabyte each.
pub const USES_MOST: u32 = 127 | USES_ANSWERS | USES_DNS;

/// What is in `.rodata` of the BPF object.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Config {
    /// The plan's number, in every event.
    pub plan: u64,
    /// 1 when a target is a cgroup.
    pub cgroups: u32,
    /// 1 when a target is a process tree.
    pub processes: u32,
    /// 1 when nothing is to be injected, only counted.
    pub monitor: u32,
    /// Cells in each thread's state.
    pub slots: u32,
    /// Bits of the `USES_` constants: what the plan's rules on calls need.
    pub features: u32,
    /// The number of the delay line's device in each network namespace; 0 for no delay line.
    pub delay_line: u32,
    /// The connection that the injector's user came by, which no rule on packets means.
    pub session: Session,
    /// Where the kernel keeps what the programs read.
    pub offsets: Offsets,
    /// The same of files, mounts and sockets.
    pub objects: ObjectOffsets,
}

const _: () = assert!(size_of::<Offsets>() == 38 * 4);
const _: () = assert!(
    size_of::<Config>() == 32 + size_of::<Session>() + size_of::<Offsets>() + size_of::<ObjectOffsets>()
);
