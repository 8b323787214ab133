//! bpf(2) and perf_event_open(2): the calls that aya has not got, or keeps to itself. Everything that
//! crosses into the kernel by a raw pointer stands here.
//!
//! Every descriptor is close-on-exec: what we hold open is what keeps a fault alive, and a command that
//! `run` starts must not inherit any of it.

use std::{
    ffi::{CStr, CString},
    fs::File,
    io::{self, Read as _},
    mem::{size_of, zeroed},
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use aya_obj::generated::{
    BPF_F_SLEEPABLE,
    bpf_attach_type::{BPF_TRACE_ITER, BPF_TRACE_KPROBE_MULTI, BPF_TRACE_UPROBE_MULTI},
    bpf_attr, bpf_cmd, bpf_insn,
    bpf_link_type::{BPF_LINK_TYPE_CGROUP, BPF_LINK_TYPE_KPROBE_MULTI, BPF_LINK_TYPE_PERF_EVENT},
    bpf_map_type::{BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_ARRAY_OF_MAPS},
};
use nix::libc;

/// The kernel cuts names of programs and maps to this (`BPF_OBJ_NAME_LEN` less the final zero).
const NAME: usize = 15;

/// `log_level`: the instructions that led to an error, and the error.
const LOG_LEVEL: u32 = 1;

/// Bytes of a log.
const LOG: usize = 1 << 20;

fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<i32> {
    // SAFETY: the attributes live through the call and every pointer in them was made from a slice or
    // reference that does so too; the size tells the kernel how much of them we know.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<bpf_attr>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(i32::try_from(result).unwrap_or(i32::MAX)) }
}

fn bpf_fd(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<OwnedFd> {
    let fd = bpf(command, attr)?;
    // SAFETY: a descriptor that the kernel has just made for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn attr() -> bpf_attr {
    // SAFETY: a union of plain data; the kernel wants what is not used to be zero.
    unsafe { zeroed() }
}

fn unsigned(fd: RawFd) -> u32 {
    u32::try_from(fd).unwrap_or(u32::MAX)
}

fn name(text: &str) -> [libc::c_char; 16] {
    let mut out = [0; 16];
    for (to, from) in out.iter_mut().zip(text.bytes().take(NAME)) {
        // The kernel takes letters, digits, '_' and '.' (kernel/bpf/syscall.c, bpf_obj_name_cpy).
        let letter = if from.is_ascii_alphanumeric() { from } else { b'_' };
        *to = libc::c_char::from_ne_bytes([letter]);
    }
    out
}

/// What a program needs to be loaded.
pub(crate) struct Program<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: u32,
    pub(crate) attach_type: u32,
    /// The type id of the function or tracepoint in the kernel's BTF; 0 for kinds that have none.
    pub(crate) attach_btf_id: u32,
    /// May it sleep?
    pub(crate) sleeps: bool,
    pub(crate) instructions: &'a [bpf_insn],
    pub(crate) license: &'a CStr,
    pub(crate) btf: Option<Debug<'a>>,
}

/// Types of a program's functions and its source lines.
pub(crate) struct Debug<'a> {
    pub(crate) btf: BorrowedFd<'a>,
    pub(crate) functions: (&'a [u8], u32, u32),
    pub(crate) lines: (&'a [u8], u32, u32),
}

/// Loads a program. On failure the verifier's log goes with the error; it is empty when the kernel
/// refused before verifying.
pub(crate) fn load_program(program: &Program<'_>) -> Result<OwnedFd, (io::Error, String)> {
    let mut log = Vec::new();
    // Without a log first: making one costs the verifier far more than the program itself.
    if let Ok(fd) = try_load(program, &mut log) {
        return Ok(fd);
    }
    log.resize(LOG, 0);
    try_load(program, &mut log).map_err(|error| (error, text(&log)))
}

/// A log up to its final zero.
fn text(log: &[u8]) -> String {
    let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
    String::from_utf8_lossy(&log[..end]).into_owned()
}

fn try_load(program: &Program<'_>, log: &mut Vec<u8>) -> io::Result<OwnedFd> {
    let mut attr = attr();
    // SAFETY: the variant of the union that BPF_PROG_LOAD reads.
    let load = unsafe { &mut attr.__bindgen_anon_3 };
    load.prog_name = name(program.name);
    load.prog_type = program.kind;
    load.expected_attach_type = program.attach_type;
    load.attach_btf_id = program.attach_btf_id;
    load.prog_flags = if program.sleeps { BPF_F_SLEEPABLE } else { 0 };
    load.insns = program.instructions.as_ptr() as u64;
    load.insn_cnt = u32::try_from(program.instructions.len()).unwrap_or(u32::MAX);
    load.license = program.license.as_ptr() as u64;
    if let Some(debug) = &program.btf {
        load.prog_btf_fd = unsigned(debug.btf.as_raw_fd());
        (load.func_info, load.func_info_cnt, load.func_info_rec_size) =
            (debug.functions.0.as_ptr() as u64, debug.functions.1, debug.functions.2);
        (load.line_info, load.line_info_cnt, load.line_info_rec_size) =
            (debug.lines.0.as_ptr() as u64, debug.lines.1, debug.lines.2);
    }
    if !log.is_empty() {
        load.log_level = LOG_LEVEL;
        load.log_buf = log.as_mut_ptr() as u64;
        load.log_size = u32::try_from(log.len()).unwrap_or(u32::MAX);
    }
    bpf_fd(bpf_cmd::BPF_PROG_LOAD, &mut attr)
}

/// Its memory can be mapped (include/uapi/linux/bpf.h).
pub(crate) const BPF_F_MMAPABLE: u32 = 1 << 10;

/// What a map needs to be made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MapShape<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: u32,
    pub(crate) key_size: u32,
    pub(crate) value_size: u32,
    pub(crate) max_entries: u32,
    pub(crate) flags: u32,
    /// For a map of maps: one like those that it will hold.
    pub(crate) inner: Option<BorrowedFd<'a>>,
    /// BTF with the types of key and value, by id.
    pub(crate) types: Option<(BorrowedFd<'a>, u32, u32)>,
}

/// Makes a map.
pub(crate) fn create_map(shape: &MapShape<'_>) -> io::Result<OwnedFd> {
    let mut attr = attr();
    // SAFETY: the variant of the union that BPF_MAP_CREATE reads.
    let create = unsafe { &mut attr.__bindgen_anon_1 };
    create.map_name = name(shape.name);
    create.map_type = shape.kind;
    create.key_size = shape.key_size;
    create.value_size = shape.value_size;
    create.max_entries = shape.max_entries;
    create.map_flags = shape.flags;
    if let Some(inner) = shape.inner {
        create.inner_map_fd = unsigned(inner.as_raw_fd());
    }
    if let Some((btf, key, value)) = shape.types {
        create.btf_fd = unsigned(btf.as_raw_fd());
        create.btf_key_type_id = key;
        create.btf_value_type_id = value;
    }
    bpf_fd(bpf_cmd::BPF_MAP_CREATE, &mut attr)
}

/// Writes one element. `key` and `value` have the map's sizes.
pub(crate) fn update(map: BorrowedFd<'_>, key: &[u8], value: &[u8]) -> io::Result<()> {
    write(map, key, value, 0)
}

/// Writes an element that is not there yet; false if it is.
pub(crate) fn insert(map: BorrowedFd<'_>, key: &[u8], value: &[u8]) -> io::Result<bool> {
    const NOT_THERE: u64 = 1; // BPF_NOEXIST
    match write(map, key, value, NOT_THERE) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes an element away; one that is not there is no error.
pub(crate) fn remove(map: BorrowedFd<'_>, key: &[u8]) -> io::Result<()> {
    let mut attr = attr();
    // SAFETY: the variant of the union that BPF_MAP_DELETE_ELEM reads.
    let element = unsafe { &mut attr.__bindgen_anon_2 };
    element.map_fd = unsigned(map.as_raw_fd());
    element.key = key.as_ptr() as u64;
    match bpf(bpf_cmd::BPF_MAP_DELETE_ELEM, &mut attr) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write(map: BorrowedFd<'_>, key: &[u8], value: &[u8], flags: u64) -> io::Result<()> {
    let mut attr = attr();
    // SAFETY: the variant of the union that BPF_MAP_UPDATE_ELEM reads.
    let element = unsafe { &mut attr.__bindgen_anon_2 };
    element.map_fd = unsigned(map.as_raw_fd());
    // A queue has no keys and wants none.
    element.key = if key.is_empty() { 0 } else { key.as_ptr() as u64 };
    element.__bindgen_anon_1.value = value.as_ptr() as u64;
    element.flags = flags;
    bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attr).map(drop)
}

/// Reads one element into `value`, which has the map's size.
pub(crate) fn lookup(map: BorrowedFd<'_>, key: &[u8], value: &mut [u8]) -> io::Result<()> {
    let mut attr = attr();
    // SAFETY: the variant of the union that BPF_MAP_LOOKUP_ELEM reads.
    let element = unsafe { &mut attr.__bindgen_anon_2 };
    element.map_fd = unsigned(map.as_raw_fd());
    element.key = key.as_ptr() as u64;
    element.__bindgen_anon_1.value = value.as_mut_ptr() as u64;
    bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attr).map(drop)
}

/// Reads an element that may be written meanwhile: an array's is copied in both directions without a lock.
pub(crate) fn lookup_settled(map: BorrowedFd<'_>, key: &[u8], value: &mut [u8]) -> io::Result<()> {
    let mut again = vec![0; value.len()];
    lookup(map, key, value)?;
    loop {
        lookup(map, key, &mut again)?;
        if value == again {
            return Ok(());
        }
        value.copy_from_slice(&again);
    }
}

/// Puts `value` at the end of a queue; false if there is no room.
pub(crate) fn push(queue: BorrowedFd<'_>, value: &[u8]) -> io::Result<bool> {
    match write(queue, &[], value, 0) {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::E2BIG) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes the first value of a queue; false if there is none.
pub(crate) fn pop(queue: BorrowedFd<'_>, value: &mut [u8]) -> io::Result<bool> {
    let mut attr = attr();
    // SAFETY: the variant of the union that BPF_MAP_LOOKUP_AND_DELETE_ELEM reads.
    let element = unsafe { &mut attr.__bindgen_anon_2 };
    element.map_fd = unsigned(queue.as_raw_fd());
    element.__bindgen_anon_1.value = value.as_mut_ptr() as u64;
    match bpf(bpf_cmd::BPF_MAP_LOOKUP_AND_DELETE_ELEM, &mut attr) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Waits until every program that runs now has ended: what it has looked up is in use no more.
///
/// An update of a map of maps does that, on purpose (kernel/bpf/syscall.c, `maybe_wait_bpf_programs`).
pub(crate) fn wait_for_programs() -> io::Result<()> {
    let key = 0u32.to_ne_bytes();
    let shape =
        MapShape { name: "injector_wait", key_size: 4, value_size: 4, max_entries: 1, ..MapShape::default() };
    let inner = create_map(&MapShape { kind: BPF_MAP_TYPE_ARRAY as u32, ..shape })?;
    let kind = BPF_MAP_TYPE_ARRAY_OF_MAPS as u32;
    let outer = create_map(&MapShape { kind, inner: Some(inner.as_fd()), ..shape })?;
    update(outer.as_fd(), &key, &inner.as_raw_fd().to_ne_bytes())
}

/// Runs a program for raw tracepoints, without arguments, in this thread: the low half of what it returns
/// (net/bpf/test_run.c, `bpf_prog_test_run_raw_tp`).
pub(crate) fn run_program(program: BorrowedFd<'_>) -> io::Result<u32> {
    let mut attr = attr();
    attr.test.prog_fd = unsigned(program.as_raw_fd());
    bpf(bpf_cmd::BPF_PROG_TEST_RUN, &mut attr)?;
    // SAFETY: the variant that the command has just written.
    Ok(unsafe { attr.test.retval })
}

/// Forbids user space to write the map from now on, so that the verifier takes it for constant.
pub(crate) fn freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = attr();
    // SAFETY: the variant of the union that BPF_MAP_FREEZE reads.
    unsafe { &mut attr.__bindgen_anon_2 }.map_fd = unsigned(map.as_raw_fd());
    bpf(bpf_cmd::BPF_MAP_FREEZE, &mut attr).map(drop)
}

/// Hands type information to the kernel. On failure what the kernel says about it goes with the error.
pub(crate) fn load_btf(bytes: &[u8]) -> Result<OwnedFd, (io::Error, String)> {
    let mut log = Vec::new();
    if let Ok(fd) = try_load_btf(bytes, &mut log) {
        return Ok(fd);
    }
    log.resize(LOG, 0);
    try_load_btf(bytes, &mut log).map_err(|error| (error, text(&log)))
}

fn try_load_btf(bytes: &[u8], log: &mut Vec<u8>) -> io::Result<OwnedFd> {
    let mut attr = attr();
    // SAFETY: the variant of the union that BPF_BTF_LOAD reads.
    let load = unsafe { &mut attr.__bindgen_anon_7 };
    load.btf = bytes.as_ptr() as u64;
    load.btf_size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    if !log.is_empty() {
        load.btf_log_level = LOG_LEVEL;
        load.btf_log_buf = log.as_mut_ptr() as u64;
        load.btf_log_size = u32::try_from(log.len()).unwrap_or(u32::MAX);
    }
    bpf_fd(bpf_cmd::BPF_BTF_LOAD, &mut attr)
}

/// Attaches a program to the function or tracepoint that it was loaded for, with a cookie that it can
/// read (`bpf_tracing_prog_attach`, kernel/bpf/syscall.c; since 5.19).
pub(crate) fn link_tracing(program: BorrowedFd<'_>, attach_type: u32, cookie: u64) -> io::Result<OwnedFd> {
    let mut attr = attr();
    // SAFETY: the variant of the union that BPF_LINK_CREATE reads.
    let link = unsafe { &mut attr.link_create };
    link.__bindgen_anon_1.prog_fd = unsigned(program.as_raw_fd());
    link.attach_type = attach_type;
    link.__bindgen_anon_3.tracing.cookie = cookie;
    bpf_fd(bpf_cmd::BPF_LINK_CREATE, &mut attr)
}

/// Runs an iterator's program on all that it walks over, once.
pub(crate) fn walk(program: BorrowedFd<'_>) -> io::Result<()> {
    let link = link_tracing(program, BPF_TRACE_ITER as u32, 0)?;
    let mut attr = attr();
    attr.iter_create.link_fd = unsigned(link.as_raw_fd());
    let mut walk = File::from(bpf_fd(bpf_cmd::BPF_ITER_CREATE, &mut attr)?);
    loop {
        match walk.read(&mut [0; 1]) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // A million objects at a time (kernel/bpf/bpf_iter.c, bpf_seq_read).
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Attaches a `tp_btf` program to the tracepoint that it was loaded for.
pub(crate) fn link_tracepoint(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = attr();
    attr.raw_tracepoint.prog_fd = unsigned(program.as_raw_fd());
    bpf_fd(bpf_cmd::BPF_RAW_TRACEPOINT_OPEN, &mut attr)
}

/// Attaches a program to something that has a descriptor (a cgroup) or a number (a perf event).
pub(crate) fn link_to(program: BorrowedFd<'_>, to: BorrowedFd<'_>, attach_type: u32) -> io::Result<OwnedFd> {
    let mut attr = attr();
    // SAFETY: the variant of the union that BPF_LINK_CREATE reads.
    let link = unsafe { &mut attr.link_create };
    link.__bindgen_anon_1.prog_fd = unsigned(program.as_raw_fd());
    link.__bindgen_anon_2.target_fd = unsigned(to.as_raw_fd());
    link.attach_type = attach_type;
    bpf_fd(bpf_cmd::BPF_LINK_CREATE, &mut attr)
}

/// Attaches a program to a network device of this thread's namespace, before all others there.
pub(crate) fn link_device(program: BorrowedFd<'_>, device: u32, attach_type: u32) -> io::Result<OwnedFd> {
    /// With no other program named, this is the first place (`bpf_mprog_attach`, kernel/bpf/mprog.c).
    const BPF_F_BEFORE: u32 = 1 << 3;
    let mut attr = attr();
    // SAFETY: the variant of the union that BPF_LINK_CREATE reads.
    let link = unsafe { &mut attr.link_create };
    link.__bindgen_anon_1.prog_fd = unsigned(program.as_raw_fd());
    link.__bindgen_anon_2.target_ifindex = device;
    link.attach_type = attach_type;
    link.flags = BPF_F_BEFORE;
    bpf_fd(bpf_cmd::BPF_LINK_CREATE, &mut attr)
}

/// Attaches a kprobe program to the entries of many functions at once (since 5.18).
pub(crate) fn link_kprobe_multi(program: BorrowedFd<'_>, functions: &[CString]) -> io::Result<OwnedFd> {
    let symbols: Vec<_> = functions.iter().map(|function| function.as_ptr()).collect();
    let mut attr = attr();
    // SAFETY: the variant of the union that BPF_LINK_CREATE reads.
    let link = unsafe { &mut attr.link_create };
    link.__bindgen_anon_1.prog_fd = unsigned(program.as_raw_fd());
    link.attach_type = BPF_TRACE_KPROBE_MULTI as u32;
    // SAFETY: the variant that this attach type reads.
    let multi = unsafe { &mut link.__bindgen_anon_3.kprobe_multi };
    multi.cnt = u32::try_from(symbols.len()).unwrap_or(u32::MAX);
    multi.syms = symbols.as_ptr() as u64;
    bpf_fd(bpf_cmd::BPF_LINK_CREATE, &mut attr)
}

/// Attaches a program to the beginning of the file at `path` (since 6.6).
pub(crate) fn link_uprobe_multi(program: BorrowedFd<'_>, path: &CStr) -> io::Result<OwnedFd> {
    let offset = 0u64;
    let mut attr = attr();
    // SAFETY: the variant of the union that BPF_LINK_CREATE reads.
    let link = unsafe { &mut attr.link_create };
    link.__bindgen_anon_1.prog_fd = unsigned(program.as_raw_fd());
    link.attach_type = BPF_TRACE_UPROBE_MULTI as u32;
    // SAFETY: the variant that this attach type reads.
    let multi = unsafe { &mut link.__bindgen_anon_3.uprobe_multi };
    multi.path = path.as_ptr() as u64;
    multi.offsets = (&raw const offset) as u64;
    multi.cnt = 1;
    bpf_fd(bpf_cmd::BPF_LINK_CREATE, &mut attr)
}

/// Opens a kprobe on the entry of `symbol` as a perf event. `kind` is the number in
/// /sys/bus/event_source/devices/kprobe/type.
pub(crate) fn open_kprobe(kind: u32, symbol: &str, at_return: bool) -> io::Result<OwnedFd> {
    const CLOEXEC: libc::c_ulong = 8; // PERF_FLAG_FD_CLOEXEC
    let symbol = CString::new(symbol)?;
    // SAFETY: plain data; the kernel wants what is not used to be zero.
    let mut attr: aya_obj::generated::perf_event_attr = unsafe { zeroed() };
    attr.size = u32::try_from(size_of_val(&attr)).unwrap_or(0);
    attr.type_ = kind;
    // PERF_PROBE_CONFIG_IS_RETPROBE (kernel/events/core.c).
    attr.config = u64::from(at_return);
    attr.__bindgen_anon_3.kprobe_func = symbol.as_ptr() as u64;
    // SAFETY: attributes and symbol live through the call. Any process, one CPU: a kprobe event fires on
    // all CPUs whatever is named here (kernel/events/core.c, perf_kprobe_event_init).
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, &raw const attr, -1, 0, -1, CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that the kernel has just made for us.
    Ok(unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).unwrap_or(-1)) })
}

/// What the kernel says about an object of ours or of others: the raw structure, by the command that all
/// kinds share.
fn info<T: Copy>(object: BorrowedFd<'_>) -> io::Result<T> {
    // SAFETY: the callers name structures of plain data.
    let mut out: T = unsafe { zeroed() };
    let mut attr = attr();
    attr.info.bpf_fd = unsigned(object.as_raw_fd());
    attr.info.info_len = u32::try_from(size_of::<T>()).unwrap_or(0);
    attr.info.info = (&raw mut out) as u64;
    bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr)?;
    Ok(out)
}

/// The id of a map.
pub(crate) fn map_id(map: BorrowedFd<'_>) -> io::Result<u32> {
    info::<aya_obj::generated::bpf_map_info>(map).map(|info| info.id)
}

/// The name and the size of the value of a map.
pub(crate) fn map_name(map: BorrowedFd<'_>) -> io::Result<(String, u32)> {
    let info = info::<aya_obj::generated::bpf_map_info>(map)?;
    let bytes: Vec<u8> =
        info.name.iter().flat_map(|c| c.to_ne_bytes()).take_while(|&byte| byte != 0).collect();
    Ok((String::from_utf8_lossy(&bytes).into_owned(), info.value_size))
}

/// The id of a program.
pub(crate) fn program_id(program: BorrowedFd<'_>) -> io::Result<u32> {
    info::<aya_obj::generated::bpf_prog_info>(program).map(|info| info.id)
}

/// How often the kernel skipped a program because it was running already.
pub(crate) fn program_misses(program: BorrowedFd<'_>) -> io::Result<u64> {
    info::<aya_obj::generated::bpf_prog_info>(program).map(|info| info.recursion_misses)
}

/// How often the kernel skipped the program of a kprobe or kretprobe: by the probe's own count, which is for what
/// happened before the program was asked for. 0 before Linux 6.7, which does not tell.
pub(crate) fn link_misses(link: BorrowedFd<'_>) -> io::Result<u64> {
    let info = info::<aya_obj::generated::bpf_link_info>(link)?;
    let of = &info.__bindgen_anon_1;
    // SAFETY: the type says which variant of the union the kernel has written, and all are plain data.
    unsafe {
        Ok(match info.type_ {
            kind if kind == BPF_LINK_TYPE_KPROBE_MULTI as u32 => of.kprobe_multi.missed,
            kind if kind == BPF_LINK_TYPE_PERF_EVENT as u32 => of.perf_event.__bindgen_anon_1.kprobe.missed,
            _ => 0,
        })
    }
}

/// Is it the link of a cgroup that was removed? Then it has lost its cgroup (kernel/bpf/cgroup.c,
/// `bpf_cgroup_link_auto_detach`), and tells the id 0.
pub(crate) fn is_detached(link: BorrowedFd<'_>) -> bool {
    info::<aya_obj::generated::bpf_link_info>(link).is_ok_and(|info| {
        // SAFETY: the type says which variant of the union the kernel has written, and all are plain data.
        info.type_ == BPF_LINK_TYPE_CGROUP as u32 && unsafe { info.__bindgen_anon_1.cgroup.cgroup_id } == 0
    })
}

/// All programs that were loaded for the function with this BTF id of the kernel itself, whoever has them.
pub(crate) fn programs_at(function: u32) -> io::Result<Vec<OwnedFd>> {
    let mut found = Vec::new();
    let mut id = 0;
    while let Some(next) = next_id(bpf_cmd::BPF_PROG_GET_NEXT_ID, id)? {
        id = next;
        let mut attr = attr();
        // SAFETY: the variant of the union that BPF_PROG_GET_FD_BY_ID reads.
        unsafe { &mut attr.__bindgen_anon_6 }.__bindgen_anon_1.prog_id = id;
        let program = match bpf_fd(bpf_cmd::BPF_PROG_GET_FD_BY_ID, &mut attr) {
            Ok(program) => program,
            // Gone since it was listed.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => continue,
            Err(error) => return Err(error),
        };
        if info::<aya_obj::generated::bpf_prog_info>(program.as_fd())?.attach_btf_id == function {
            found.push(program);
        }
    }
    Ok(found)
}

/// The next map's id after `id`; `None` behind the last.
pub(crate) fn next_map(id: u32) -> io::Result<Option<u32>> {
    next_id(bpf_cmd::BPF_MAP_GET_NEXT_ID, id)
}

fn next_id(command: bpf_cmd, id: u32) -> io::Result<Option<u32>> {
    let mut attr = attr();
    // SAFETY: the variant of the union that these commands read and write.
    unsafe { &mut attr.__bindgen_anon_6 }.__bindgen_anon_1.start_id = id;
    match bpf(command, &mut attr) {
        // SAFETY: the kernel has written it.
        Ok(_) => Ok(Some(unsafe { attr.__bindgen_anon_6.next_id })),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a map by its id.
pub(crate) fn open_map(id: u32) -> io::Result<OwnedFd> {
    let mut attr = attr();
    // SAFETY: the variant of the union that BPF_MAP_GET_FD_BY_ID reads.
    unsafe { &mut attr.__bindgen_anon_6 }.__bindgen_anon_1.map_id = id;
    bpf_fd(bpf_cmd::BPF_MAP_GET_FD_BY_ID, &mut attr)
}
