//! Where the fields are that the programs read, on this kernel. One place, so that a field renamed by a
//! future kernel is one line to change.

use injector_common::config::{ObjectOffsets, Offsets};

use crate::kernel::bpf::btf::{BtfError, KernelBtf};

/// The registers that hold a call's arguments, by ABI, as `pt_regs` names them.
#[cfg(target_arch = "x86_64")]
mod registers {
    pub(crate) const NUMBER: &str = "orig_ax";
    pub(crate) const RETURN: &str = "ax";
    pub(crate) const STACK: &str = "sp";
    pub(crate) const NATIVE: [&str; 6] = ["di", "si", "dx", "r10", "r8", "r9"];
    pub(crate) const COMPAT: [&str; 6] = ["bx", "cx", "dx", "si", "di", "bp"];
    /// `thread_info.status` and `TS_COMPAT` (arch/x86/include/asm/thread_info.h).
    pub(crate) const ABI_FIELD: &str = "status";
    pub(crate) const COMPAT_BIT: u32 = 0x0002;
}

/// Reads all offsets.
///
/// # Errors
/// This kernel's types lack a structure or a field that every plan needs.
#[cfg(target_arch = "x86_64")]
pub fn read(btf: &KernelBtf) -> Result<Offsets, BtfError> {
    let mut regs = ([0; 6], [0; 6]);
    for i in 0..6 {
        regs.0[i] = btf.offset("pt_regs", registers::NATIVE[i])?;
        regs.1[i] = btf.offset("pt_regs", registers::COMPAT[i])?;
    }
    let offset = |name| btf.offset("pt_regs", name);
    fill(btf, [registers::NUMBER, registers::RETURN, registers::STACK].map(offset), regs)
}

#[cfg(target_arch = "aarch64")]
mod registers {
    /// `thread_info.flags` and `TIF_32BIT` (arch/arm64/include/asm/thread_info.h).
    pub(crate) const ABI_FIELD: &str = "flags";
    pub(crate) const COMPAT_BIT: u32 = 1 << 22;
}

/// Reads all offsets. Both ABIs pass arguments in the first registers, but the first one is overwritten
/// by the result, so the kernel keeps it twice.
#[cfg(target_arch = "aarch64")]
pub fn read(btf: &KernelBtf) -> Result<Offsets, BtfError> {
    let base = btf.offset("pt_regs", "regs")?;
    let mut all = [0; 6];
    for (slot, index) in all.iter_mut().zip(0..) {
        *slot = base + index * 8;
    }
    all[0] = btf.offset("pt_regs", "orig_x0")?;
    let offset = |name| btf.offset("pt_regs", name);
    fill(btf, [offset("syscallno"), Ok(base), offset("sp")], (all, all))
}

fn fill(
    btf: &KernelBtf,
    [number, returned, stack]: [Result<u32, BtfError>; 3],
    regs: ([u32; 6], [u32; 6]),
) -> Result<Offsets, BtfError> {
    Ok(Offsets {
        task_abi: btf.offset("task_struct", "thread_info")?
            + btf.offset("thread_info", registers::ABI_FIELD)?,
        abi_compat_bit: registers::COMPAT_BIT,
        task_flags: btf.offset("task_struct", "flags")?,
        task_group_leader: btf.offset("task_struct", "group_leader")?,
        task_thread_pid: btf.offset("task_struct", "thread_pid")?,
        task_cred: btf.offset("task_struct", "cred")?,
        task_real_cred: btf.offset("task_struct", "real_cred")?,
        task_tgid: btf.offset("task_struct", "tgid")?,
        task_cgroups: btf.offset("task_struct", "cgroups")?,
        css_set_dfl_cgrp: btf.offset("css_set", "dfl_cgrp")?,
        task_signal: btf.offset("task_struct", "signal")?,
        signal_live: btf.offset("signal_struct", "live")?,
        pid_level: btf.offset("pid", "level")?,
        pid_numbers: btf.offset("pid", "numbers")?,
        upid_size: btf.size("upid")?,
        regs_number: number?,
        regs_native: regs.0,
        regs_compat: regs.1,
        regs_return: returned?,
        regs_stack: stack?,
        cgroup_kn: btf.offset("cgroup", "kn")?,
        cgroup_root: btf.offset("cgroup", "root")?,
        root_hierarchy: btf.offset("cgroup_root", "hierarchy_id")?,
        kn_id: btf.offset("kernfs_node", "id")?,
        kn_parent: btf.offset_of_any("kernfs_node", &["parent", "__parent"])?,
        socket_sk: btf.offset("socket", "sk")?,
        sock_family: btf.offset("sock", "__sk_common")? + btf.offset("sock_common", "skc_family")?,
        sock_cgroup: sock_cgroup(btf).unwrap_or(0),
    })
}

/// Without CONFIG_SOCK_CGROUP_DATA there is none.
fn sock_cgroup(btf: &KernelBtf) -> Result<u32, BtfError> {
    Ok(btf.offset("sock", "sk_cgrp_data")? + btf.offset("sock_cgroup_data", "cgroup")?)
}

/// Reads where files, folders, mounts and sockets keep what calls and operations are about, and signals what
/// happens by them.
///
/// # Errors
/// This kernel's types lack a structure or a field that rules on files and sockets need.
pub fn objects(btf: &KernelBtf) -> Result<ObjectOffsets, BtfError> {
    let name = btf.offset("dentry", "d_name")?;
    let common = btf.offset("sock", "__sk_common")?;
    let action = btf.offset("k_sigaction", "sa")?;
    let of_socket = |field| btf.offset("sock_common", field).map(|offset| common + offset);
    Ok(ObjectOffsets {
        task_fs: btf.offset("task_struct", "fs")?,
        fs_root: btf.offset("fs_struct", "root")?,
        file_path: btf.offset("file", "f_path")?,
        path_mnt: btf.offset("path", "mnt")?,
        path_dentry: btf.offset("path", "dentry")?,
        mnt_root: btf.offset("vfsmount", "mnt_root")?,
        mount_mnt: btf.offset("mount", "mnt")?,
        mount_parent: btf.offset("mount", "mnt_parent")?,
        mount_mountpoint: btf.offset("mount", "mnt_mountpoint")?,
        dentry_parent: btf.offset("dentry", "d_parent")?,
        dentry_name_length: name + btf.offset("qstr", "len")?,
        dentry_name: name + btf.offset("qstr", "name")?,
        socket_sk: btf.offset("socket", "sk")?,
        sk_family: of_socket("skc_family")?,
        sk_peer_v4: of_socket("skc_daddr")?,
        // A kernel without IPv6 has no sockets that have it.
        sk_peer_v6: of_socket("skc_v6_daddr").unwrap_or(0),
        sk_peer_port: of_socket("skc_dport")?,
        sk_own_port: of_socket("skc_num")?,
        message_name: btf.offset("msghdr", "msg_name")?,
        task_files: btf.offset("task_struct", "files")?,
        files_fdt: btf.offset("files_struct", "fdt")?,
        fdt_max_fds: btf.offset("fdtable", "max_fds")?,
        fdt_fd: btf.offset("fdtable", "fd")?,
        file_inode: btf.offset("file", "f_inode")?,
        inode_mode: btf.offset("inode", "i_mode")?,
        file_private: btf.offset("file", "private_data")?,
        action_handler: action + btf.offset("sigaction", "sa_handler")?,
        action_flags: action + btf.offset("sigaction", "sa_flags")?,
        skb_head: btf.offset("sk_buff", "head")?,
        skb_data: btf.offset("sk_buff", "data")?,
        skb_network_header: btf.offset("sk_buff", "network_header")?,
        _pad: 0,
    })
}
