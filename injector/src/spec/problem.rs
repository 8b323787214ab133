//! The causes for which a rule's text is refused, in words. What to do about each is in
//! [`super::remedy`].

use injector_common::name::FRONTS;
use thiserror::Error;

use crate::spec::{nearest::Near, operation::OperationProblem, process::problem::ProcessProblem};

/// Why a text is no valid rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message is the documentation of its variant")]
pub enum Problem {
    // The option -e as a whole.
    #[error("`{0}=` chooses what strace prints, and injector prints no calls")]
    StraceOutput(String),
    #[error("it does not say what kind of rule it is")]
    NoQualifier,
    #[error("`{word}` is not a qualifier")]
    UnknownQualifier { word: String, near: Option<String> },
    #[error("`{0}=` begins a rule that is given to `-e`")]
    Qualified(String),

    // The set of system calls.
    #[error("no system call is named")]
    NoSet,
    #[error("`{word}` is not a system call")]
    UnknownCall { word: String, near: Option<Near> },
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
    #[error("the kernel of this machine does not implement `{0}`")]
    NotImplemented(String),
    #[error("`{0}` is an empty set, so the rule can never match")]
    EmptySet(String),

    // What is to happen to them.
    #[error("it does not say what is to happen to `{0}`")]
    NoAction(String),
    #[error("`{word}` is not a word of a rule")]
    UnknownWord { word: String, near: Option<Near> },
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

    #[error("`{0}` writes into the memory of the caller, which no kernel under lockdown allows")]
    Poke(String),
    #[error("`{0}` is not a moment of a call")]
    UnknownMoment(String),
    #[error("`{0}` is not an outcome of a call")]
    UnknownOutcome(String),

    // Which of them.
    #[error("there is no argument before the comparison")]
    NoArgument,
    #[error("`{0}` has no comparison")]
    NoRelation(String),
    #[error("`==` is not a comparison")]
    DoubledEquals { instead: String },
    #[error("`{0}` has two tests")]
    TwoTests(String),
    #[error("nothing follows the comparison")]
    NoOperand,
    #[error("`{0}` is not a number of at most 64 bits")]
    Operand(String),
    #[error("`{word}` is not a constant that this version knows")]
    UnknownConstant { word: String, near: Option<Near> },
    #[error("`{0}` asks for bits outside of its mask, so it can never hold")]
    OutsideMask(String),
    #[error("`{0}` asks for no bit, so it can never hold")]
    NoBits(String),
    #[error("one rule can hold {0} tests at most")]
    TooManyTests(usize),
    #[error("{call} has no argument that `{test}` could be about")]
    NoSuchArgument { call: String, test: String, arguments: String },
    #[error("no call of `{set}` has an argument that `{test}` could be about")]
    NobodyHasArgument { set: String, test: String },
    #[error("`{call}` takes neither a path nor a descriptor, so `{word}` can never match")]
    AboutNothing { word: String, call: String },
    #[error("`{0}` is not a name that a thread can have")]
    Comm(String),

    // Values.
    #[error("{word} is not an errno")]
    UnknownErrno { word: String, near: Option<String> },
    #[error("{0} is not the number of an error")]
    ErrnoRange(String),
    #[error("the error {0} is given twice")]
    ErrnoTwice(String),
    #[error("{0} errors are more than the 8 that one rule can choose from")]
    TooManyErrnos(usize),
    #[error("`{0}` is not a weight")]
    Weight(String),
    #[error("`{word}` is not a signal")]
    UnknownSignal { word: String, near: Option<String> },
    #[error("`{0}` is not the number of a signal")]
    SignalRange(String),
    #[error("`{0}` is not a time")]
    Delay(String),
    #[error("`{0}` has no length that jitter could change")]
    NoLength(String),
    #[error("`{0}` is not a scope")]
    Scope(String),
    #[error("`{0}` is not a 64-bit number")]
    ReturnValue(String),
    #[error("`{0}` is not of the form first[..last][+[step]]")]
    When(String),
    #[error("matches are counted from 1, so number 0 never comes")]
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
    #[error("it is zero")]
    NoDuration,
    #[error("it is not a duration")]
    Duration(String),

    // Packets.
    #[error("it does not say what is to happen to the packets")]
    NoNetFault,
    #[error("a `:` is missing before `{0}`")]
    NoColon(String),
    #[error("`{word}` is not a word that describes packets")]
    UnknownMatch { word: String, near: Option<Near> },
    #[error("`{word}` is not something that can happen to packets")]
    UnknownNetFault { word: String, near: Option<Near> },
    #[error("`{0}` is one word too many")]
    Surplus(String),
    #[error("`{word}` is an address with a port")]
    AddressWithPort { word: String, address: String, port: u16, place: AddressPlace },
    #[error("`{0}` is not an IP address or network")]
    Address(String),
    #[error("`{0}` is not an IP address, a network or a host name")]
    HostName(String),
    #[error("`{0}` is a word of the grammar, and an address is needed here")]
    NoAddress(String),
    #[error("`{network}` has bits set outside its prefix")]
    HostBits { network: String, whole: String, single: String },
    #[error("`{0}` is not a port or a range of ports")]
    Port(String),
    #[error("port 0 is never on the wire")]
    PortZero,
    #[error("the range `{0}` ends before it starts")]
    PortOrder(String),
    #[error("the list `{list}` has an empty member")]
    Hole { list: String, example: &'static str },
    #[error("`{0}` is not a length in bytes or a range of lengths")]
    Length(String),
    #[error("no packet has {0} bytes")]
    LengthTooLong(u32),
    #[error("`{0}` is shorter than any packet")]
    LengthTooShort(String),
    #[error("the range of lengths `{0}` ends before it starts")]
    LengthOrder(String),
    #[error("`{word}` is not a flag of TCP")]
    UnknownFlag { word: String, near: Option<String> },
    #[error("`{0}` asks for other flags than those after the `/`, so it can never hold")]
    FlagsOutside(String),
    #[error("`not` stands before nothing that it could negate")]
    NotNothing,
    #[error("`{0}` leaves no packet that the rule could mean")]
    NothingLeft(String),
    #[error("`{0}` describes packets, and belongs before the `:`")]
    MatchBehind(String),
    #[error("`{word}` {why}")]
    NotHere { word: String, why: &'static str, instead: &'static str },

    // What happens to packets.
    #[error("`{name} {number}` has no `%`")]
    NoPercent { name: String, number: String },
    #[error("`{0}` is not a model of loss")]
    UnknownLoss(String),
    #[error("a correlation of `{0}` has no `%`")]
    BareCorrelation(String),
    #[error("`{0}` is not a correlation")]
    Correlation(String),
    #[error("{name} of `{number}` has no `%`")]
    BareShare { name: &'static str, number: String },
    #[error("`{word}` is not a percentage, as {name} has to be")]
    Share { name: &'static str, word: String },
    #[error("{0} leave the same state, and together they are more than 100%")]
    MoreThanAll(&'static str),
    #[error("a time of `{0}` has no unit")]
    TimeWithoutUnit(String),
    #[error("`{0}` is not a time")]
    Time(String),
    #[error("`{0}` is longer than an hour, for which a packet can be kept at most")]
    TooLong(String),
    #[error("a delay of `{0}` is no delay")]
    NoDelay(String),
    #[error("a rate of `{0}` has no unit")]
    RateWithoutUnit(String),
    #[error("`{0}` is not a rate")]
    Rate(String),
    #[error("at a rate of `{0}` nothing passes")]
    NoRate(String),
    #[error("`{0}` is not a number of bytes that a rate can add")]
    Bytes(String),
    #[error("a size of `{0}` has no unit")]
    SizeWithoutUnit(String),
    #[error("`{0}` is not a size")]
    Size(String),
    #[error("`burst` is what passes a `rate` at once, and there is no rate")]
    NothingToBurst,
    #[error("`{0}` is not a number of packets")]
    PacketCount(String),
    #[error("`{word}` is not a distribution")]
    UnknownDistribution { word: String, near: Option<String> },
    #[error("a distribution says how jitter spreads, and there is no jitter")]
    NothingToDistribute { example: &'static str },
    #[error("`ordered` keeps jitter from letting packets overtake each other, and there is no jitter")]
    NothingToOrder,
    #[error("`reorder` lets packets overtake those that are delayed, and none is")]
    NothingToOvertake,
    #[error("{0} is no error that a program ever gets from connect(2)")]
    ConnectError(String),
    #[error("`{word}` is not a way to refuse packets")]
    UnknownAnswer { word: String, near: Option<String> },
    #[error("`{word}` is not something that ICMP calls unreachable")]
    UnknownUnreachable { word: String, near: Option<String> },
    #[error("`{word}` is not an answer to a question for a name")]
    UnknownDns { word: String, near: Option<String> },
    #[error("`{0}` is not a name")]
    NoName(String),
    #[error("a host name cannot contain `{0}`")]
    NameLetter(char),
    #[error("the name is too long")]
    NameTooLong,
    #[error("`{0}` has more than one `*`")]
    NameStars(String),
    #[error("more than {FRONTS} names have something in front of their `*`, and one rule holds no more")]
    NameFronts,
    #[error("`gap` says which packets may overtake others, and there is no `reorder`")]
    GapAlone,

    // Operations.
    #[error(transparent)]
    Operation(#[from] OperationProblem),

    // Processes.
    #[error(transparent)]
    Process(#[from] ProcessProblem),
}

/// Where an address stands; what to write for its port depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressPlace {
    To,
    From,
    Peer,
    /// Anywhere else.
    Other,
}
