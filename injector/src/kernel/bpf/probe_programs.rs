//! Programs of a few instructions, made by hand: to find out what the kernel takes, by loading and
//! attaching. They change nothing wherever they run.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use aya_obj::generated::{BPF_PSEUDO_MAP_FD, bpf_insn};

use crate::kernel::bpf::{kind::Kind, sys};

const LICENSE: &CStr = c"Dual MIT/GPL";

/// Opcodes (Documentation/bpf/standardization/instruction-set.rst).
const MOV64_IMM: u8 = 0xb7;
const MOV64_REG: u8 = 0xbf;
const ADD64_IMM: u8 = 0x07;
const JEQ_IMM: u8 = 0x15;
const JEQ32_IMM: u8 = 0x16;
const LOAD64: u8 = 0x79;
const LOAD64_IMM: u8 = 0x18;
const JA: u8 = 0x05;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

/// Helper numbers (include/uapi/linux/bpf.h).
const KTIME_GET_NS: i32 = 5;
const GET_CURRENT_PID_TGID: i32 = 14;
pub(crate) const OVERRIDE_RETURN: i32 = 58;
pub(crate) const PROBE_READ_KERNEL: i32 = 113;
pub(crate) const SET_RETVAL: i32 = 187;

fn instruction(code: u8, registers: (u8, u8), off: i16, imm: i32) -> bpf_insn {
    let mut instruction =
        bpf_insn { code, _bitfield_align_1: [], _bitfield_1: bpf_insn::new_bitfield_1(0, 0), off, imm };
    instruction.set_dst_reg(registers.0);
    instruction.set_src_reg(registers.1);
    instruction
}

/// Returns `value`, nothing else.
pub(crate) fn constant(value: i32) -> Vec<bpf_insn> {
    vec![instruction(MOV64_IMM, (0, 0), 0, value), instruction(EXIT, (0, 0), 0, 0)]
}

/// Returns 0, and keeps `map` for as long as it is loaded.
pub(crate) fn holding(map: BorrowedFd<'_>) -> Vec<bpf_insn> {
    let of_map = u8::try_from(BPF_PSEUDO_MAP_FD).unwrap_or(0);
    let mut program =
        vec![instruction(LOAD64_IMM, (1, of_map), 0, map.as_raw_fd()), instruction(0, (0, 0), 0, 0)];
    program.extend(constant(0));
    program
}

/// Would override the result of the function if the caller were process 0, the idle task, which makes no
/// calls. The verifier cannot know that.
pub(crate) fn overriding() -> Vec<bpf_insn> {
    vec![
        instruction(MOV64_REG, (6, 1), 0, 0),
        instruction(CALL, (0, 0), 0, GET_CURRENT_PID_TGID),
        instruction(JEQ_IMM, (0, 0), 1, 0),
        instruction(JA, (0, 0), 3, 0),
        instruction(MOV64_REG, (1, 6), 0, 0),
        instruction(MOV64_IMM, (2, 0), 0, 0),
        instruction(CALL, (0, 0), 0, OVERRIDE_RETURN),
        instruction(MOV64_IMM, (0, 0), 0, 0),
        instruction(EXIT, (0, 0), 0, 0),
    ]
}

/// A program that tells, when it is run by hand, which thread runs it: its number in the initial namespace,
/// which no file shows to a process in another one.
pub(crate) fn whoami() -> Result<OwnedFd, (io::Error, String)> {
    let instructions = [instruction(CALL, (0, 0), 0, GET_CURRENT_PID_TGID), instruction(EXIT, (0, 0), 0, 0)];
    load(&instructions, Kind::RawTracepoint)
}

/// Lets a connection be made; would say which error it fails with if no time had passed since the machine was
/// started, which the verifier cannot know.
pub(crate) fn refusing() -> Vec<bpf_insn> {
    vec![
        instruction(CALL, (0, 0), 0, KTIME_GET_NS),
        instruction(JEQ_IMM, (0, 0), 1, 0),
        instruction(JA, (0, 0), 2, 0),
        instruction(MOV64_IMM, (1, 0), 0, -1),
        instruction(CALL, (0, 0), 0, SET_RETVAL),
        instruction(MOV64_IMM, (0, 0), 0, 1),
        instruction(EXIT, (0, 0), 0, 0),
    ]
}

/// An option of prctl(2) that there is not, and the error that [`answering`] gives it: neither is otherwise seen.
const QUESTION: i32 = 0x696e_6a3f;
const ANSWER: i32 = libc::EXFULL;

/// As a security module at prctl(2): answers a question of ours, see [`is_answered`].
pub(crate) fn answering() -> Vec<bpf_insn> {
    vec![
        instruction(LOAD64, (1, 1), 0, 0),
        instruction(MOV64_IMM, (0, 0), 0, 0),
        instruction(JEQ32_IMM, (1, 0), 1, QUESTION),
        instruction(JA, (0, 0), 1, 0),
        instruction(MOV64_IMM, (0, 0), 0, -ANSWER),
        instruction(EXIT, (0, 0), 0, 0),
    ]
}

/// Asks it. Without such a program the kernel knows no such option.
pub(crate) fn is_answered() -> bool {
    // SAFETY: five numbers, of which the kernel looks at the first only.
    let result = unsafe { libc::prctl(QUESTION, 0, 0, 0, 0) };
    result < 0 && io::Error::last_os_error().raw_os_error() == Some(ANSWER)
}

/// Would read the kernel's memory, at address 0 where there is none.
pub(crate) fn reading() -> Vec<bpf_insn> {
    vec![
        instruction(MOV64_REG, (1, 10), 0, 0),
        instruction(ADD64_IMM, (1, 0), 0, -8),
        instruction(MOV64_IMM, (2, 0), 0, 8),
        instruction(MOV64_IMM, (3, 0), 0, 0),
        instruction(CALL, (0, 0), 0, PROBE_READ_KERNEL),
        instruction(MOV64_IMM, (0, 0), 0, 0),
        instruction(EXIT, (0, 0), 0, 0),
    ]
}

/// Loads such a program. The verifier's log goes with the error.
pub(crate) fn load(instructions: &[bpf_insn], kind: Kind) -> Result<OwnedFd, (io::Error, String)> {
    let (program, attach_type, attach_btf_id) = kind.numbers();
    sys::load_program(&sys::Program {
        name: "injector_probe",
        kind: program,
        attach_type,
        attach_btf_id,
        sleeps: kind.sleeps(),
        instructions,
        license: LICENSE,
        btf: None,
    })
}

/// Loads and attaches a program that returns 0, as `kind`: a `fmod_ret` or a security module's program.
pub(crate) fn attached(kind: Kind) -> Result<(OwnedFd, OwnedFd), (io::Error, String)> {
    link(load(&constant(0), kind)?, kind)
}

/// Attaches a program of such a kind.
pub(crate) fn link(program: OwnedFd, kind: Kind) -> Result<(OwnedFd, OwnedFd), (io::Error, String)> {
    let link = sys::link_tracing(program.as_fd(), kind.numbers().1, 0).map_err(|e| (e, String::new()))?;
    Ok((program, link))
}
