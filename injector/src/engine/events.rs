//! The log: one record per injection. It is an API: fields are only ever added, and `schema` says when
//! one changes its meaning (docs/log.md).

use std::{
    net::{IpAddr, Ipv6Addr},
    time::{Duration, SystemTime},
};

use injector_common::{
    call::{ABI_COMPAT, ABI_NONE},
    code::{FaultCode, MomentCode},
    dns::{ANSWER, NXDOMAIN, REFUSED, SERVFAIL},
    event::{Event, ObjectEvent, SCHEMA},
    netem::{COPY_CORRUPTED, CORRUPTED, DELAYED, DUPLICATED, LOST, OVERFLOWED, OVERTOOK},
    packet::{CONNECT, EGRESS},
    reject::{FORBIDDEN, NO_HOST, NO_NET, NO_PORT, RESET},
    sleep::lasts_with,
};
use serde::Serialize;

use crate::{
    clock,
    engine::object::ObjectRecord,
    faults::deed::{Deed, What},
    spec::{errno::Errno, signal::Signal},
    syscalls::{self, Abi, Call, Machine},
};

/// One injection, as the log tells it.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// Version of this record.
    pub schema: u32,
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub time_ns: u64,
    /// The same as wall clock time, RFC 3339.
    pub time: String,
    /// The plan.
    pub plan: String,
    /// The rule's number, from 0.
    pub rule: u32,
    /// The rule's text, as it was given.
    pub rule_text: String,
    /// Which mechanism acted.
    pub backend: &'static str,
    /// The cgroup's number.
    pub cgroup: u64,
    /// The target that the cgroup belongs to, in words; absent where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The number of the decision, as `when=` counts it.
    pub decision: u64,
    /// What was done.
    pub verdict: Verdict,
    /// Who met it; absent for packets.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskRecord>,
    /// What it was about; absent where no rule asks for that, and for packets.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRecord>,
    /// The packet; absent for calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packet: Option<PacketRecord>,
    /// The target, and in it the process; absent for what a program in the kernel did.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessRecord>,
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Verdict {
    /// What the call met.
    Call {
        /// What it returned, if not its own result.
        #[serde(rename = "return", skip_serializing_if = "Option::is_none")]
        value: Option<i64>,
        /// Its name, where it is an errno.
        #[serde(skip_serializing_if = "Option::is_none")]
        errno: Option<String>,
        /// What it had come to by itself, if it has run.
        #[serde(skip_serializing_if = "Option::is_none")]
        instead_of: Option<i64>,
        /// The signal that the thread was sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        signal: Option<String>,
        /// How long it was to wait before the call, nanoseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        delay_enter_ns: Option<u64>,
        /// How long when it had run.
        #[serde(skip_serializing_if = "Option::is_none")]
        delay_exit_ns: Option<u64>,
        /// One of them was to last as long as the rule.
        #[serde(skip_serializing_if = "not")]
        delay_forever: bool,
    },
    /// What processes met.
    Process {
        /// The signal that the process was sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        signal: Option<String>,
        /// How long all of the target are paused, nanoseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        pause_ns: Option<u64>,
        /// They are paused as long as the rule lasts.
        #[serde(skip_serializing_if = "not")]
        pause_forever: bool,
    },
    /// What the packet met; only what it did.
    Packet {
        /// It was dropped.
        #[serde(skip_serializing_if = "not")]
        drop: bool,
        /// It went out twice.
        #[serde(skip_serializing_if = "not")]
        duplicate: bool,
        /// A bit of it was turned.
        #[serde(skip_serializing_if = "not")]
        corrupt: bool,
        /// A bit of its copy was turned.
        #[serde(skip_serializing_if = "not")]
        corrupt_copy: bool,
        /// How long it waits, in nanoseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        delay_ns: Option<u64>,
        /// It does not wait, as others do.
        #[serde(skip_serializing_if = "not")]
        reorder: bool,
        /// It was dropped since too many waited.
        #[serde(skip_serializing_if = "not")]
        overflow: bool,
        /// Its sender was told this in the name of whom it was for.
        #[serde(skip_serializing_if = "Option::is_none")]
        answer: Option<&'static str>,
    },
}

/// Whom a rule on processes met.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessRecord {
    /// The target, in words.
    pub target: String,
    /// The process, as the injector's namespace numbers it; absent where all of the target were met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comm: Option<String>,
}

/// A thread, and the call that it was in.
#[derive(Clone, Debug, Serialize)]
pub struct TaskRecord {
    /// The process, as the initial pid namespace numbers it.
    pub pid: u32,
    /// The thread, as the initial pid namespace numbers it.
    pub tid: u32,
    /// The process, as its own pid namespace numbers it.
    pub ns_pid: u32,
    /// The thread, as its own pid namespace numbers it.
    pub ns_tid: u32,
    /// The thread's name.
    pub comm: String,
    /// Its position in the process tree, the same on every run: 16 hexadecimal digits. Absent where its cgroup is
    /// all that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree_position: Option<String>,
    /// The call; absent for a worker of io_uring, which is in none.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallRecord>,
}

/// A call.
#[derive(Clone, Debug, Serialize)]
pub struct CallRecord {
    /// The ABI that the call came by.
    pub abi: &'static str,
    /// The call's name.
    pub syscall: String,
    /// The call's number in its ABI.
    pub number: u32,
    /// Its arguments, as many as it takes.
    pub args: Vec<u64>,
}

/// A packet.
#[derive(Clone, Debug, Serialize)]
pub struct PacketRecord {
    /// `egress` or `ingress`, seen from the target.
    pub direction: &'static str,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, or the number.
    pub protocol: String,
    /// Source address.
    pub source: IpAddr,
    /// Source port, 0 where there is none.
    pub source_port: u16,
    /// Destination address.
    pub destination: IpAddr,
    /// Destination port, 0 where there is none.
    pub destination_port: u16,
    /// Bytes from the IP header on.
    pub length: u32,
    /// The number of the device.
    pub ifindex: u32,
    /// Its flow, the same on every run, 16 hexadecimal digits; absent where none is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// The number of the packet in that flow, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
}

impl Record {
    /// Reads what came through the ring buffer; `None` for what is no event of this version.
    pub(super) fn read(bytes: &[u8], rules: &[String]) -> Option<Self> {
        // The longer kind begins with the shorter one.
        let object: Option<ObjectEvent> = bytemuck::try_pod_read_unaligned(bytes).ok();
        let event = match &object {
            Some(object) => object.event,
            None => bytemuck::try_pod_read_unaligned(bytes).ok()?,
        };
        if event.schema != SCHEMA {
            return None;
        }
        let connection = event.packet.direction == CONNECT;
        let call = event.packet.family == 0 || connection;
        Some(Self {
            schema: event.schema,
            time_ns: event.time,
            time: wall_clock(event.time),
            plan: format!("{:08x}", event.plan),
            rule: event.rule,
            rule_text: rules.get(event.rule as usize).cloned().unwrap_or_default(),
            backend: event.backend.name(),
            cgroup: event.cgroup,
            target: None,
            decision: event.decision,
            verdict: if call { met(&event) } else { done(&event) },
            task: call.then(|| task(&event)),
            object: match &object {
                Some(object) => Some(ObjectRecord::of(object)),
                None => connection.then(|| ObjectRecord::connecting(&event.packet)),
            },
            packet: (!call).then(|| packet(&event)),
            process: None,
        })
    }

    /// What user space has done for a rule of the plan.
    pub(super) fn of(deed: &Deed, plan: u32, rules: &[String]) -> Self {
        let (verdict, pid, comm) = match &deed.what {
            What::Paused { length } => {
                let pause_ns = length.map(clock::nanoseconds);
                (Verdict::Process { signal: None, pause_ns, pause_forever: length.is_none() }, None, None)
            }
            What::Signalled { signal, pid, comm } => {
                let signal = Some(signal.to_string());
                let verdict = Verdict::Process { signal, pause_ns: None, pause_forever: false };
                (verdict, Some(*pid), Some(comm.clone()))
            }
        };
        Self {
            schema: SCHEMA,
            time_ns: deed.time,
            time: wall_clock(deed.time),
            plan: format!("{plan:08x}"),
            rule: deed.rule,
            rule_text: rules.get(deed.rule as usize).cloned().unwrap_or_default(),
            backend: deed.mechanism.name(),
            cgroup: deed.cgroup,
            // It stands with the process.
            target: None,
            decision: deed.round,
            verdict,
            task: None,
            object: None,
            packet: None,
            process: Some(ProcessRecord { target: deed.target.clone(), pid, comm }),
        }
    }
}

fn wall_clock(time: u64) -> String {
    let ago = Duration::from_nanos(clock::now().saturating_sub(time));
    let then = SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH);
    humantime::format_rfc3339_micros(then).to_string()
}

fn met(event: &Event) -> Verdict {
    let value = (event.fault != FaultCode::NONE).then_some(event.value);
    let number = value.and_then(i64::checked_neg).and_then(|number| u16::try_from(number).ok());
    let signal = u8::try_from(event.signal).ok().and_then(Signal::new);
    Verdict::Call {
        value,
        errno: number.and_then(Errno::new).map(|errno| errno.to_string()),
        instead_of: (event.moment != MomentCode::ENTRY).then_some(event.outcome),
        signal: signal.map(|signal| signal.to_string()),
        delay_enter_ns: length(event.delay_enter),
        delay_exit_ns: length(event.delay_exit),
        delay_forever: [event.delay_enter, event.delay_exit].into_iter().any(|d| lasts_with(d).is_some()),
    }
}

/// Of a delay that has one.
fn length(delay: u64) -> Option<u64> {
    (delay != 0 && lasts_with(delay).is_none()).then_some(delay)
}

fn task(event: &Event) -> TaskRecord {
    let (native, compat) = match Machine::HOST {
        Machine::X86_64 if event.call & Abi::X32_BIT != 0 => (Abi::X32, Abi::I386),
        Machine::X86_64 => (Abi::X86_64, Abi::I386),
        Machine::Arm64 => (Abi::Arm64, Abi::Arm),
    };
    let abi = if event.abi == ABI_COMPAT { compat } else { native };
    let entry = syscalls::get(Call { abi, number: event.call });
    let arguments = entry.map_or(event.args.len(), |entry| entry.parameters.len());
    let call = CallRecord {
        abi: abi.name(),
        syscall: entry.map_or_else(|| format!("syscall_{}", event.call), |entry| entry.name.into()),
        number: event.call,
        args: event.args.iter().take(arguments).copied().collect(),
    };
    let comm = event.comm.split(|&byte| byte == 0).next().unwrap_or_default();
    TaskRecord {
        pid: event.pid,
        tid: event.tid,
        ns_pid: event.ns_pid,
        ns_tid: event.ns_tid,
        comm: String::from_utf8_lossy(comm).into_owned(),
        tree_position: (event.packet.direction != CONNECT).then(|| format!("{:016x}", event.subject)),
        call: (event.abi != ABI_NONE).then_some(call),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde wants")]
const fn not(value: &bool) -> bool {
    !*value
}

fn done(event: &Event) -> Verdict {
    let has = |effect: u32| event.value & i64::from(effect) != 0;
    Verdict::Packet {
        drop: has(LOST),
        duplicate: has(DUPLICATED),
        corrupt: has(CORRUPTED),
        corrupt_copy: has(COPY_CORRUPTED),
        delay_ns: has(DELAYED).then_some(event.args[1]),
        reorder: has(OVERTOOK),
        overflow: has(OVERFLOWED),
        answer: answer(event.args[2]),
    }
}

/// The answer with this number, see [`injector_common::reject`] and [`injector_common::dns`].
fn answer(number: u64) -> Option<&'static str> {
    const NO_NAME: u32 = ANSWER | NXDOMAIN;
    const FAILED: u32 = ANSWER | SERVFAIL;
    const NOT_SAID: u32 = ANSWER | REFUSED;
    Some(match u32::try_from(number).ok()? {
        RESET => "rst",
        NO_NET => "icmp net",
        NO_HOST => "icmp host",
        NO_PORT => "icmp port",
        FORBIDDEN => "icmp admin",
        NO_NAME => "nxdomain",
        FAILED => "servfail",
        NOT_SAID => "refused",
        _ => return None,
    })
}

fn packet(event: &Event) -> PacketRecord {
    let packet = &event.packet;
    let number = Some(event.args[0]).filter(|&number| number > 0);
    let address = |bytes: [u8; 16]| {
        let address = Ipv6Addr::from(bytes);
        if packet.family == 4 { address.to_canonical() } else { IpAddr::V6(address) }
    };
    PacketRecord {
        direction: if packet.direction == EGRESS { "egress" } else { "ingress" },
        protocol: match packet.protocol {
            6 => "tcp".into(),
            17 => "udp".into(),
            1 => "icmp".into(),
            58 => "icmpv6".into(),
            number => number.to_string(),
        },
        source: address(packet.source),
        source_port: packet.source_port,
        destination: address(packet.destination),
        destination_port: packet.destination_port,
        length: packet.length,
        ifindex: packet.ifindex,
        flow: number.map(|_| format!("{:016x}", event.subject)),
        number,
    }
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;
    use injector_common::{
        code::{BackendCode, FaultCode, MomentCode},
        netem::{COPY_CORRUPTED, DUPLICATED, LOST},
        packet::{INGRESS, Packet, mapped},
    };

    use super::*;
    use crate::plan::unsupported::Mechanism;

    fn event() -> Event {
        Event { schema: SCHEMA, plan: 0xabc, backend: BackendCode::KPROBE, decision: 3, ..Event::zeroed() }
    }

    fn json(event: &Event) -> serde_json::Value {
        let record = Record::read(bytemuck::bytes_of(event), &["the rule".to_owned()]).unwrap();
        serde_json::to_value(record).unwrap()
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_call_is_told_in_words() {
        let mut comm = [0; 16];
        comm[..5].copy_from_slice(b"redis");
        let json = json(&Event {
            call: 74,
            fault: FaultCode::RETURN,
            value: -5,
            pid: 12,
            ns_pid: 1,
            comm,
            args: [9; 6],
            ..event()
        });
        assert_eq!(json["plan"], "00000abc");
        assert_eq!(json["rule_text"], "the rule");
        assert_eq!(json["syscall"], "fsync");
        assert_eq!(json["abi"], "x86_64");
        assert_eq!(json["args"], serde_json::json!([9]));
        assert_eq!(json["verdict"], serde_json::json!({ "return": -5, "errno": "EIO" }));
        assert_eq!((&json["pid"], &json["ns_pid"], &json["comm"]), (&12.into(), &1.into(), &"redis".into()));
        assert!(json.get("packet").is_none());
    }

    #[test]
    fn a_signal_and_a_call_that_has_run_are_told() {
        let told = json(&Event { signal: 10, ..event() });
        assert_eq!(told["verdict"], serde_json::json!({ "signal": "SIGUSR1" }));
        let told = json(&Event {
            fault: FaultCode::RETURN,
            value: -5,
            moment: MomentCode::EXIT,
            outcome: 7,
            ..event()
        });
        assert_eq!(told["verdict"], serde_json::json!({ "return": -5, "errno": "EIO", "instead_of": 7 }));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_abi_decides_what_a_number_means() {
        assert_eq!(json(&Event { call: 3, abi: ABI_COMPAT, ..event() })["syscall"], "read");
        assert_eq!(json(&Event { call: 3, ..event() })["syscall"], "close");
        assert_eq!(json(&Event { call: Abi::X32_BIT, ..event() })["abi"], "x32");
    }

    #[test]
    fn a_packet_is_told_in_words() {
        let packet = Packet {
            source: mapped([10, 0, 0, 1]),
            destination: mapped([10, 0, 0, 2]),
            destination_port: 80,
            protocol: 6,
            family: 4,
            direction: INGRESS,
            ..Packet::default()
        };
        let doubled = i64::from(DUPLICATED | COPY_CORRUPTED);
        let told = json(&Event { packet, value: doubled, subject: 7, args: [9; 6], ..event() });
        assert_eq!(told["verdict"], serde_json::json!({ "duplicate": true, "corrupt_copy": true }));
        assert_eq!(
            (&told["packet"]["flow"], &told["packet"]["number"]),
            (&"0000000000000007".into(), &9.into())
        );
        let refused = Event { packet, value: i64::from(LOST), args: [0, 0, 4, 0, 0, 0], ..event() };
        assert_eq!(json(&refused)["verdict"], serde_json::json!({ "drop": true, "answer": "icmp port" }));
        let json = json(&Event { packet, value: i64::from(LOST), ..event() });
        assert_eq!(json["verdict"], serde_json::json!({ "drop": true }));
        assert!(json["packet"].get("flow").is_none());
        assert_eq!(json["packet"]["source"], "10.0.0.1");
        assert_eq!(json["packet"]["protocol"], "tcp");
        assert_eq!(json["packet"]["direction"], "ingress");
        assert!(json.get("pid").is_none());
    }

    #[test]
    fn a_connection_is_told_by_its_peer_and_who_made_it() {
        let peer = Packet {
            destination: mapped([10, 0, 0, 2]),
            destination_port: 443,
            protocol: 6,
            family: 4,
            direction: CONNECT,
            ..Packet::default()
        };
        let told = json(&Event {
            packet: peer,
            fault: FaultCode::RETURN,
            value: -111,
            pid: 12,
            abi: ABI_NONE,
            backend: BackendCode::CGROUP_CONNECT,
            ..event()
        });
        assert_eq!(told["verdict"], serde_json::json!({ "return": -111, "errno": "ECONNREFUSED" }));
        assert_eq!((&told["operation"], &told["backend"]), (&"connect".into(), &"cgroup_connect".into()));
        assert_eq!((&told["peer"], &told["peer_port"]), (&"10.0.0.2".into(), &443.into()));
        assert_eq!(told["pid"], 12);
        assert!(
            ["packet", "tree_position", "syscall", "own_port"].iter().all(|field| told.get(field).is_none())
        );
    }

    #[test]
    fn what_user_space_does_is_told_in_words() {
        let told = |what| {
            let (mechanism, target) = (Mechanism::Freezer, "cgroup /x".into());
            let deed = Deed { time: 5, rule: 0, mechanism, target, cgroup: 9, round: 3, what };
            serde_json::to_value(Record::of(&deed, 0xabc, &["pause".to_owned()])).unwrap()
        };
        let length = Some(Duration::from_millis(20));
        let pause = told(What::Paused { length });
        assert_eq!(pause["verdict"], serde_json::json!({ "pause_ns": 20_000_000 }));
        assert_eq!((&pause["target"], &pause["backend"]), (&"cgroup /x".into(), &"freezer".into()));
        assert_eq!((&pause["decision"], &pause["rule_text"]), (&3.into(), &"pause".into()));
        assert!(["pid", "comm", "packet", "syscall"].iter().all(|field| pause.get(field).is_none()));
        let forever = told(What::Paused { length: None });
        assert_eq!(forever["verdict"], serde_json::json!({ "pause_forever": true }));
        let signal = Signal::new(15).unwrap();
        let kill = told(What::Signalled { signal, pid: 7, comm: "redis".into() });
        assert_eq!(kill["verdict"], serde_json::json!({ "signal": "SIGTERM" }));
        assert_eq!((&kill["pid"], &kill["comm"]), (&7.into(), &"redis".into()));
    }

    #[test]
    fn other_versions_and_pieces_are_refused() {
        let newer = Event { schema: SCHEMA + 1, ..event() };
        assert!(Record::read(bytemuck::bytes_of(&newer), &[]).is_none());
        assert!(Record::read(&bytemuck::bytes_of(&event())[1..], &[]).is_none());
    }
}
