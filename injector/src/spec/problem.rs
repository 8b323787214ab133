//! The causes for which a rule's text is refused, in words, each with its remedy.

use thiserror::Error;

use super::operation::OperationProblem;

/// Why a text is no valid rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message is the documentation of its variant")]
pub enum Problem {
    // The option -e as a whole.
    #[error("`{0}=` chooses what strace prints, and injector prints no calls")]
    StraceOutput(String),
    #[error("it names no qualifier")]
    NoQualifier,
    #[error("`{word}` is not a qualifier")]
    UnknownQualifier { word: String, near: Option<String> },

    // The set of system calls.
    #[error("no system call is named")]
    NoSet,
    #[error("`{word}` is not a system call")]
    UnknownCall { word: String, near: Option<String> },
    #[error("`{word}` is not a class of system calls")]
    UnknownClass { word: String, near: Option<String> },
    #[error("`{word}` is not an ABI of this machine")]
    UnknownAbi { word: String, known: String },
    #[error("`{name}` exists, but not under the ABI `{abi}`")]
    NotInAbi { name: String, abi: String, others: String },
    #[error("no system call has the number {0}")]
    UnknownNumber(String),
    #[error("`{word}` stands for a whole set and cannot be one of a list")]
    WholeSet { word: String },
    #[error("the pattern `{pattern}` is not valid: {cause}")]
    Pattern { pattern: String, cause: String },
    #[error("no system call matches the pattern `{0}`")]
    NothingMatches(String),
    #[error("`{0}` is a name without a function: the kernel implements no such call on this machine")]
    NotImplemented(String),
    #[error("`{0}` holds no system call, so the rule can never match")]
    EmptySet(String),

    // What is to happen to them.
    #[error("it says nothing of what is to happen to `{0}`")]
    NoAction(String),
    #[error("`{word}` is not a word of a rule")]
    UnknownWord { word: String, near: Option<String> },
    #[error("`{word}` is not supported by this version")]
    NotYet { word: String, instead: &'static str },
    #[error(
        "`syscall=` runs another call in place of the one that was made, which cannot be done from inside the kernel"
    )]
    OtherCall,
    #[error("`{word}` needs a value")]
    NoValue { word: String, example: &'static str },
    #[error("`{0}` is given twice")]
    Twice(String),
    #[error("`{second}` contradicts `{first}`")]
    Contradiction { first: String, second: String, remedy: String },
    #[error("`{0}` does not belong to `fault=`, which knows errors only")]
    NotAFault(String),

    // Values.
    #[error("{word} is not an errno")]
    UnknownErrno { word: String, near: Option<String> },
    #[error("{0} is not the number of an error")]
    ErrnoRange(String),
    #[error("`{0}` is not a 64-bit number")]
    ReturnValue(String),
    #[error("`{0}` is not of the form first[..last][+[step]]")]
    When(String),
    #[error("calls are counted from 1, so number 0 never comes")]
    WhenZero,
    #[error("a step of 0 never gets to the next call")]
    StepZero,
    #[error("{number} is above {limit}, the highest that `when=` takes here")]
    WhenRange { number: String, limit: u32 },
    #[error("the last call ({last}) comes before the first ({first}), so the rule can never fire")]
    WhenOrder { first: u32, last: u32 },
    #[error("`{0}` is not a probability")]
    Probability(String),
    #[error("a probability of `{0}` has no unit")]
    ProbabilityWithoutUnit(String),
    #[error("with a probability of {0} the rule can never fire")]
    NeverByChance(String),
    #[error("`{0}` is not a number of times")]
    Times(String),
    #[error("at most 0 times means that the rule can never fire")]
    NeverByTimes,
    #[error("it has no unit")]
    DurationWithoutUnit(String),
    #[error("it is not a duration")]
    Duration(String),

    // Packets.
    #[error("it says nothing of what is to happen to the packets")]
    NoNetFault,
    #[error("there is no `:` between the packets and `{0}`, which is to happen to them")]
    NoColon(String),
    #[error("`{word}` is not a word that describes packets")]
    UnknownMatch { word: String, near: Option<String> },
    #[error("`{word}` is not something that can happen to packets")]
    UnknownNetFault { word: String, near: Option<String> },
    #[error("`{0}` is one word too many")]
    Surplus(String),
    #[error("`{0}` is not an IP address or network")]
    Address(String),
    #[error("`{network}` has bits set outside its prefix")]
    HostBits { network: String, whole: String, single: String },
    #[error("`{0}` is not a port or a range of ports")]
    Port(String),
    #[error("port 0 is never on the wire")]
    PortZero,
    #[error("the range `{0}` ends before it starts")]
    PortOrder(String),
    #[error("{count} ranges of ports are more than the {limit} that one rule can hold")]
    TooManyPorts { count: usize, limit: usize },
    #[error("a loss of `{0}` has no `%`")]
    LossWithoutPercent(String),

    // Operations.
    #[error(transparent)]
    Operation(#[from] OperationProblem),
}

impl Problem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        const INJECT: &str = "write `inject=SET:error=ERRNO`, such as `inject=fsync:error=EIO`";
        const WHEN: &str = "write `when=3` for the third call, `when=3+` from the third on, \
                            `when=3..9+2` for every second from the third to the ninth";
        const PROBABILITY: &str = "write a percentage such as `5%` or a fraction such as `0.05`";
        const CHANCE: &str = "give a probability above zero or leave the rule out";
        const LOSS: &str = "write `loss 10%`, or `partition` where nothing is to pass";
        match self {
            Self::StraceOutput(_) => "use `--log FILE` for a line per injection".into(),
            Self::NoQualifier => INJECT.into(),
            Self::UnknownQualifier { near, .. } => or(near.as_ref(), INJECT),

            Self::NoSet => "write `SET:error=ERRNO`, such as `fsync:error=EIO`".into(),
            Self::UnknownCall { near, .. } => {
                or(near.as_ref(), "see syscalls(2); a leading `?` lets a name be unknown")
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
                "a pattern matches anywhere in a name, as in `/^open`; a leading `?` lets it match nothing"
                    .into()
            }
            Self::NotImplemented(_) => "leave it out: it returns ENOSYS by itself".into(),
            Self::EmptySet(_) => "name at least one call".into(),

            Self::NoAction(_) => "add `:error=ERRNO` or `:retval=N`".into(),
            Self::UnknownWord { near, .. } => {
                or(near.as_ref(), "the words are error=, retval=, when=, prob= and times=")
            }
            Self::NotYet { instead, .. } => (*instead).into(),
            Self::OtherCall => "write `retval=N` for the value that the caller is to see".into(),
            Self::NoValue { example, .. } => format!("write it as in `{example}`"),
            Self::Twice(_) => "leave one of them out, or write two rules".into(),
            Self::Contradiction { remedy, .. } => remedy.clone(),
            Self::NotAFault(_) => "write `inject=` instead of `fault=`".into(),

            Self::UnknownErrno { near, .. } => {
                or(near.as_ref(), "see errno(3) for the names, or give a number from 1 to 4095")
            }
            Self::ErrnoRange(_) => "give a name such as EIO, or a number from 1 to 4095".into(),
            Self::ReturnValue(_) => "write it in decimal or, after 0x, in hexadecimal".into(),
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
            Self::Duration(_) => "write a number with its unit, such as `30s`, `250ms` or `1h30m`".into(),

            Self::NoNetFault => format!("{LOSS}, behind a `:`"),
            Self::NoColon(_) => "write `MATCH : NETEM`, such as `tcp port 80 : loss 10%`".into(),
            Self::UnknownMatch { near, .. } => or(
                near.as_ref(),
                "the words are egress, ingress, both, tcp, udp, icmp, from, to, port, sport and dport",
            ),
            Self::UnknownNetFault { near, .. } => or(near.as_ref(), LOSS),
            Self::Surplus(_) => "one thing happens to a packet per rule; write a `--net` for each".into(),
            Self::Address(_) => "write an address such as `10.0.0.7` or a network such as `fd00::/8`".into(),
            Self::HostBits { whole, single, .. } => {
                format!("write `{whole}` for the network or `{single}` for the address")
            }
            Self::Port(_) => "write ports from 1 to 65535, such as `80,443,8000-8080`".into(),
            Self::PortZero => "write a port from 1 to 65535".into(),
            Self::PortOrder(_) => "write the lower port first".into(),
            Self::TooManyPorts { .. } => "join neighbours into ranges, or write a second `--net`".into(),
            Self::LossWithoutPercent(number) => format!("write `loss {number}%`"),

            Self::Operation(problem) => problem.hint(),
        }
    }
}

/// The near miss as a question, or what else can be said.
fn or(near: Option<&String>, otherwise: &str) -> String {
    near.map_or_else(|| otherwise.to_owned(), |near| format!("did you mean {near}?"))
}
