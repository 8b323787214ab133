//! tcx (Linux 6.6): a link to a side of a device, which ends with the descriptor, and so with us.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use aya_obj::generated::{bpf_attach_type, bpf_insn, bpf_prog_type};

use crate::kernel::{
    bpf::sys::{self, Program},
    net::side::Side,
};

/// Puts a program of type `SCHED_CLS` before all others at a side of a device of this thread's network
/// namespace. EINVAL where the kernel has no tcx.
pub(crate) fn attach(program: BorrowedFd<'_>, device: u32, side: Side) -> io::Result<OwnedFd> {
    let attach = match side {
        Side::Ingress => bpf_attach_type::BPF_TCX_INGRESS,
        Side::Egress => bpf_attach_type::BPF_TCX_EGRESS,
    };
    sys::link_device(program, device, attach as u32)
}

/// The smallest classifier: lets every packet go on to whoever comes next. To probe with.
pub(crate) fn passing_program() -> io::Result<OwnedFd> {
    // r0 = -1 (TCX_NEXT, TC_ACT_UNSPEC); exit
    let instructions = [instruction(0xb7, -1), instruction(0x95, 0)];
    sys::load_program(&Program {
        name: "injector_probe",
        kind: bpf_prog_type::BPF_PROG_TYPE_SCHED_CLS as u32,
        attach_type: 0,
        attach_btf_id: 0,
        sleeps: false,
        instructions: &instructions,
        license: c"GPL",
        btf: None,
    })
    .map_err(|(error, _)| error)
}

fn instruction(code: u8, imm: i32) -> bpf_insn {
    bpf_insn { code, _bitfield_align_1: [], _bitfield_1: bpf_insn::new_bitfield_1(0, 0), off: 0, imm }
}
