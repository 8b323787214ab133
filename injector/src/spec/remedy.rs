//! What to do about each cause for which a rule's text is refused.

use crate::spec::{
    nearest::Near,
    problem::{AddressPlace, Problem},
};

impl Problem {
    /// What to do about it.
    #[expect(clippy::too_many_lines, reason = "a line for each cause; in one match the compiler misses none")]
    pub fn hint(&self) -> String {
        const INJECT: &str = "write `inject=SET:error=ERRNO` for system calls, such as `inject=fsync:error=EIO`; other \
                              rules begin with `io=`, `net=` or `process=`";
        const WHEN: &str = "write `when=3` for the third match, `when=3+` from the third on, \
                            `when=3..9+2` for every second from the third to the ninth";
        const PREDICATE: &str =
            "write `count>4096`, `flags&O_CREAT` or `arg0=3`; the comparisons are = != < <= > >= and &";
        const PROBABILITY: &str = "write a percentage such as `5%` or a fraction such as `0.05`";
        const CHANCE: &str = "give a probability above zero or leave the rule out";
        const LOSS: &str = "write `loss 10%`, or `partition` where nothing is to pass";
        match self {
            Self::StraceOutput(_) => "use `--log FILE` for a line per injection".into(),
            Self::NoQualifier => INJECT.into(),
            Self::UnknownQualifier { near, .. } => or(near.as_ref(), INJECT),
            Self::Qualified(word) => format!("leave `{word}=` out, or give the whole rule to `-e`"),

            Self::NoSet => "write `SET:error=ERRNO`, such as `fsync:error=EIO`".into(),
            Self::UnknownCall { near, .. } => {
                hint_or(near.as_ref(), "see syscalls(2); write `?NAME` for a name that may be unknown")
            }
            Self::UnknownClass { near, .. } => or(
                near.as_ref(),
                "strace(1) lists the classes: %file, %desc, %network, %process, %memory, %signal, %ipc, …",
            ),
            Self::UnknownAbi { known, .. } => format!("write {known}"),
            Self::NotInAbi { others, .. } => format!("it exists as {others}"),
            Self::UnknownNumber(_) => "name the call instead: numbers differ between machines".into(),
            Self::WholeSet { word } => format!("write `{word}` alone"),
            Self::Pattern { .. } => {
                "an extended regular expression follows the `/`; it cannot hold `,` or `:`, as in strace"
                    .into()
            }
            Self::NothingMatches(_) => {
                "a pattern matches anywhere in a name, as in `/^open`; write `?/PATTERN` for one that may match nothing"
                    .into()
            }
            Self::NotImplemented(_) => "leave it out: it returns ENOSYS by itself".into(),
            Self::EmptySet(_) => "name at least one call".into(),

            Self::NoAction(_) => "add `:error=ERRNO`, `:retval=N` or `:signal=SIGNAL`".into(),
            Self::Poke(_) => "write `error=ERRNO` for what the caller is to see".into(),
            Self::UnknownMoment(_) => "write `at=entry` or `at=exit`".into(),
            Self::UnknownOutcome(_) => "write `on=success` or `on=failure`".into(),
            Self::NoArgument | Self::NoRelation(_) | Self::NoOperand | Self::NoBits(_) => PREDICATE.into(),
            Self::DoubledEquals { instead } => format!("write a single `=`, as in `{instead}`"),
            Self::TwoTests(_) => {
                "write `:` between tests that all have to hold, as in `fd>2:count<9`, or a rule for each"
                    .into()
            }
            Self::Operand(_) => "write a decimal number, a hexadecimal one after `0x`, or the name of a constant".into(),
            Self::UnknownConstant { near, .. } => hint_or(near.as_ref(), "write its number"),
            Self::OutsideMask(_) => "leave those bits out, or add them to the mask".into(),
            Self::TooManyTests(_) => "write a rule for each case".into(),
            Self::NoSuchArgument { arguments, .. } if arguments.is_empty() => "it takes none".into(),
            Self::NoSuchArgument { arguments, .. } => format!("its arguments are {arguments}"),
            Self::NobodyHasArgument { .. } => {
                "syscalls(2) tells what a call takes; `arg0` is the first".into()
            }
            Self::AboutNothing { .. } => {
                "choose it by its arguments, such as `arg0=3`; see syscalls(2) for what a call takes".into()
            }
            Self::Comm(_) => {
                "write up to 15 bytes, such as `comm=redis-server`, or a beginning, such as `comm=redis*`"
                    .into()
            }
            Self::UnknownWord { near, .. } => hint_or(
                near.as_ref(),
                "the words are error=, retval=, signal=, delay_enter=, delay_exit=, distribution=, at=, on=, fd=, comm=, path=, peer=, port=, when=, prob=, times=, scope= and the names of arguments",
            ),
            Self::OtherCall => "write `retval=N` for the value that the caller is to see".into(),
            Self::NoValue { example, .. } => format!("write it as in `{example}`"),
            Self::Twice(_) => "leave one of them out, or write two rules".into(),
            Self::Contradiction { remedy, .. } => remedy.clone(),
            Self::NotAFault(_) => "write `inject=` instead of `fault=`".into(),

            Self::UnknownErrno { near, .. } => {
                or(near.as_ref(), "see errno(3) for the names, or give a number from 1 to 4095")
            }
            Self::ErrnoRange(_) => "give a name such as EIO, or a number from 1 to 4095".into(),
            Self::ErrnoTwice(_) => "give it once, with a weight, as in `error=EIO*3/ENOSPC`".into(),
            Self::TooManyErrnos(_) => "write a second rule".into(),
            Self::Weight(_) => "give a whole number from 1 to 10000, as in `error=EIO*3/ENOSPC`".into(),
            Self::UnknownSignal { near, .. } => {
                or(near.as_ref(), "see signal(7) for the names, or give a number from 1 to 64")
            }
            Self::SignalRange(_) => "give a name such as SIGUSR1, or a number from 1 to 64".into(),
            Self::Delay(_) => {
                "write a number with `s`, `ms`, `us` or `ns`, one without a unit for microseconds, or `forever`"
                    .into()
            }
            Self::NoLength(_) => {
                "leave the jitter out, or write a time such as `10ms~2ms`: `forever` is as long as the rule lasts".into()
            }
            Self::Scope(_) => "write `scope=thread`, `scope=process` or `scope=rule`".into(),
            Self::ReturnValue(_) => "write a decimal number, or a hexadecimal one after `0x`".into(),
            Self::When(_) | Self::WhenZero | Self::StepZero | Self::WhenOrder { .. } => WHEN.into(),
            Self::WhenRange { .. } => "leave the end open, as in `when=3+`".into(),
            Self::Probability(_) => format!("{PROBABILITY}, from 0 to 1"),
            Self::ProbabilityWithoutUnit(number) => {
                format!("write `{number}%` for {number} percent; a fraction needs its point, as in `0.05`")
            }
            Self::NeverByChance(_) => CHANCE.into(),
            Self::Times(_) => "write a whole number such as `times=3`".into(),
            Self::NeverByTimes => "give a number from 1 on or leave `times=` out".into(),
            Self::DurationWithoutUnit(number) => {
                format!("write `{number}s` for seconds, `{number}ms` for milliseconds")
            }
            Self::NoDuration => "write a time above zero, such as `30s`, or leave the option out".into(),
            Self::Duration(_) => "write a number with its unit, such as `30s`, `250ms` or `1h30m`".into(),

            // Packets.
            Self::NoNetFault => format!("{LOSS}, behind a `:`"),
            Self::NoColon(_) | Self::MatchBehind(_) => {
                "write `MATCH : NETEM`, such as `tcp port 80 : loss 10%`".into()
            }
            Self::UnknownMatch { near, .. } => hint_or(
                near.as_ref(),
                "the words are egress, ingress, both, tcp, udp, icmp, from, to, port, sport, dport, length, flags and not",
            ),
            Self::UnknownNetFault { near, .. } => hint_or(
                near.as_ref(),
                "the words are loss, duplicate, corrupt, delay, distribution, ordered, reorder, gap, rate, burst, limit, partition, connect=, reject and dns",
            ),
            Self::Surplus(_) => "leave it out; docs/rules.md has the values of each word".into(),
            Self::NotHere { instead, .. } => (*instead).into(),
            Self::AddressWithPort { address, port, place, .. } => with_port(address, *port, *place),
            Self::Address(_) => "write an address such as `10.0.0.7` or a network such as `fd00::/8`".into(),
            Self::HostName(_) => {
                "write an address such as `10.0.0.7`, or a name of letters, digits, `-` and `.` such as `db.example`"
                    .into()
            }
            Self::NoAddress(word) => {
                format!("write an address such as `10.0.0.7` behind `to` or `from`, or `{word}.` for a host of that name")
            }
            Self::HostBits { whole, single, .. } => {
                format!("write `{whole}` for the network or `{single}` for the address")
            }
            Self::Port(_) => "write ports from 1 to 65535, such as `80,443,8000-8080`".into(),
            Self::PortZero => "write a port from 1 to 65535".into(),
            Self::PortOrder(_) => "write the lower port first".into(),
            Self::Length(_) | Self::LengthTooLong(_) | Self::LengthTooShort(_) => {
                "write bytes with the IP header, 20 to 65575, such as `length 1000-` or `length 100-200`"
                    .into()
            }
            Self::LengthOrder(_) => "write the shorter length first".into(),
            Self::UnknownFlag { near, .. } => or(
                near.as_ref(),
                "the flags are fin, syn, rst, psh, ack, urg, ecn and cwr; `flags syn/syn,ack` means SYN without ACK",
            ),
            Self::FlagsOutside(_) => "write `flags syn/syn,ack` for SYN without ACK".into(),
            Self::NotNothing => "write it in front of the word that it negates, as in `not port 22`".into(),
            Self::NothingLeft(_) => "leave it out, or write what is meant instead".into(),
            Self::Hole { example, .. } => format!("write the list without blanks and empty members, such as `{example}`"),
            Self::Operation(problem) => problem.hint(),
            Self::Process(problem) => problem.hint(),

            // What happens to packets.
            Self::NoPercent { name, number } => format!("write `{name} {number}%`"),
            Self::UnknownLoss(_) => "write `loss 10%`, `loss gemodel 1% 10%` or `loss state 1% 20%`".into(),
            Self::BareCorrelation(number) | Self::BareShare { number, .. } => format!("write `{number}%`"),
            Self::Correlation(_) | Self::Share { .. } => {
                "write a percentage from `0%` to `100%`, such as `25%`".into()
            }
            Self::MoreThanAll(_) => "lower one of them".into(),
            Self::TimeWithoutUnit(number) => {
                format!("write `{number}s` for seconds, `{number}ms` for milliseconds, `{number}us` for microseconds")
            }
            Self::Time(_) => "write a number with `s`, `ms`, `us` or `ns`, such as `100ms`".into(),
            Self::TooLong(_) => "write a shorter time, or `partition` where nothing is to pass".into(),
            Self::NoDelay(_) => "write a time above zero, such as `delay 100ms`, or leave it out".into(),
            Self::RateWithoutUnit(number) => {
                format!("write `{number}kbit` for 1000 bits in a second, `{number}kbps` for 1000 bytes")
            }
            Self::Rate(_) => "write a number with its unit, such as `1mbit` (bits) or `125kbps` (bytes)".into(),
            Self::NoRate(_) => "write `partition` where nothing is to pass".into(),
            Self::Bytes(_) => {
                "write whole numbers up to 65535, as in `rate 1mbit 18 48 5`: the overhead of a packet, the size of a \
                 cell, the overhead of a cell"
                    .into()
            }
            Self::SizeWithoutUnit(number) => format!("write `{number}kb` for 1024 bytes each, or `{number}b`"),
            Self::Size(_) => "write a number above zero with `b`, `kb` (1024 bytes), `mb` or `gb`, such as `15kb`".into(),
            Self::NothingToBurst => "add a rate, as in `rate 1mbit burst 15kb`".into(),
            Self::PacketCount(_) => "write a whole number from 1 on, such as `limit 1000` or `gap 5`".into(),
            Self::UnknownDistribution { near, .. } => or(
                near.as_ref(),
                "write uniform, normal, pareto, paretonormal, or the path of a file, with a `/` in it",
            ),
            Self::NothingToDistribute { example } => format!("write `{example}`"),
            Self::NothingToOrder => "write `delay 100ms 20ms ordered`".into(),
            Self::NothingToOvertake => "add a delay, as in `delay 10ms reorder 25% 50%`".into(),
            Self::ConnectError(_) => "write an error such as ECONNREFUSED, ETIMEDOUT or EHOSTUNREACH".into(),
            Self::UnknownAnswer { near, .. } => {
                or(near.as_ref(), "write `reject`, `reject rst` or `reject icmp`, with port, host, net or admin behind it")
            }
            Self::UnknownUnreachable { near, .. } => or(near.as_ref(), "the words are port, host, net and admin"),
            Self::UnknownDns { near, .. } => {
                or(near.as_ref(), "the answers are nxdomain, servfail, refused and timeout")
            }
            Self::NoName(name) if name.len() > 1 && name.starts_with('.') => format!("write `*{name}` for all names under it"),
            Self::NoName(_) => "write names such as `db.internal`, or patterns such as `*.example.com`".into(),
            Self::NameLetter('/') => "write the name alone, without a path or a network".into(),
            Self::NameLetter('?' | '[' | ']' | '!' | '{' | '}') => {
                "only `*` stands for other letters, once in a name: list several names with commas".into()
            }
            Self::NameLetter(letter) if letter.is_ascii() => {
                "a name has letters, digits, `-` and `_`; a `*` stands for any others".into()
            }
            Self::NameLetter(_) => "write the name as it is asked for, as in `xn--bcher-kva.example`".into(),
            Self::NameTooLong => "a label has at most 63 letters, a name at most 253".into(),
            Self::NameStars(_) => {
                "write one, as in `*.example.com` or `db-*.internal`; it stands for dots, too".into()
            }
            Self::NameFronts => "write a second `--net` with the rest".into(),
            Self::GapAlone => "write `delay 10ms reorder 100% gap 5`".into(),
        }
    }
}

/// The near miss as a question, or what else can be said.
fn or(near: Option<&String>, otherwise: &str) -> String {
    near.map_or_else(|| otherwise.to_owned(), |near| format!("did you mean `{near}`?"))
}

/// The same where it may be more than a question.
fn hint_or(near: Option<&Near>, otherwise: &str) -> String {
    near.map_or_else(|| otherwise.to_owned(), Near::hint)
}

/// What to write for an address with a port.
fn with_port(address: &str, port: u16, place: AddressPlace) -> String {
    match place {
        AddressPlace::To => format!("write `to {address} dport {port}`"),
        AddressPlace::From => format!("write `from {address} sport {port}`"),
        AddressPlace::Peer if address.contains(':') => format!("write `peer=[{address}]:port={port}`"),
        AddressPlace::Peer => format!("write `peer={address}:port={port}`"),
        AddressPlace::Other => format!("write `to {address} dport {port}` or `from {address} sport {port}`"),
    }
}
