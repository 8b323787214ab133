//! The options that `run` and `attach` share: the rules, and how the plan is to act.

use std::{net::IpAddr, time::Duration};

use clap::{ArgMatches, Args, FromArgMatches, parser::ValueSource};
use clap_complete::engine::ArgValueCompleter;
use injector::{
    engine::{
        self, Injector,
        request::{Grammar, Until},
    },
    plan::{MAX_CALL_DELAY, Options, PlanName},
    spec::{SpecError, model::Rule, units},
};

use crate::cli::{completions, exit::Failure, outcome::Outcome};

/// Rules, any number, of any kind. All of them count, in the order of the command line.
#[derive(Debug)]
pub(super) struct Rules(Vec<(Grammar, String)>);

const GRAMMARS: [(Grammar, &str); 5] = [
    (Grammar::Expression, "expression"),
    (Grammar::Syscall, "syscall"),
    (Grammar::Net, "net"),
    (Grammar::Io, "io"),
    (Grammar::Process, "process"),
];

/// What clap knows of the rules; the order between different options is taken from the matches.
#[derive(Args, Debug)]
struct RuleOptions {
    /// A rule on system calls, in strace's words: inject=SET:error=ERRNO|retval=N|signal=SIG|delay_enter=T[:when=FIRST[..LAST][+STEP]]
    ///
    /// SET is names, %classes, /regexes, !negations, as in strace. Further words: prob=5%, times=N, scope=process;
    /// delay_exit=T; path=GLOB, peer=CIDR, port=LIST; at=exit, on=success, on=failure for calls that have run;
    /// predicates such as count>4096, flags&O_CREAT, fd=3, comm=NAME. A delay may be `forever`, or vary as T~J with
    /// distribution=normal|pareto|…. Example: -e inject=fsync,fdatasync:error=EIO:when=3
    ///
    /// Other kinds of rules begin with `net=`, `io=` or `process=` here, as in -e 'net=udp : loss 5%', and go on as for
    /// --net, --io and --process.
    #[arg(short = 'e', long = "expression", value_name = "EXPR", help_heading = "Rules")]
    #[arg(add = ArgValueCompleter::new(completions::expressions))]
    expression: Vec<String>,
    /// The same without `inject=`: SET:ACTIONS
    #[arg(long, value_name = "SET:ACTIONS", help_heading = "Rules")]
    #[arg(add = ArgValueCompleter::new(completions::syscalls))]
    syscall: Vec<String>,
    /// A rule on packets, in netem's words: 'MATCH : delay T [JITTER]|loss P|duplicate P|corrupt P|rate R|…'
    ///
    /// NETEM is any of tc-netem(8)'s words together, but for slot, ecn and seed, with ordered, burst SIZE, limit SIZE and
    /// corrupt … fixed besides, or one of partition, reject [rst|icmp],
    /// connect=ERRNO, dns nxdomain|servfail|refused|timeout [for NAME,…] with NAME such as *.example.com.
    /// MATCH is any of egress|ingress|both, tcp|udp|icmp, to|from LIST, port|sport|dport LIST, length RANGE, flags
    /// LIST, each with `not` in front if you like; egress if none is given. LIST is separated by commas.
    /// Examples: --net 'tcp dport 6379 : loss 10%' --net 'to 10.1.0.0/16 : delay 80ms 20ms distribution normal'
    #[arg(long, value_name = "MATCH : NETEM", help_heading = "Rules")]
    #[arg(add = ArgValueCompleter::new(completions::packets))]
    net: Vec<String>,
    /// A rule on operations, whichever way they come (system call, io_uring, sendfile, splice, mmap):
    /// OP[,OP…]:error=ERRNO|delay=T[:path=GLOB][:peer=CIDR][:port=LIST][:when=…][:prob=5%][:times=N]
    ///
    /// A delay may be `forever`, or vary as T~J with distribution=normal|pareto|…; comm=NAME and scope=process are as
    /// for system calls. OP is any of open, read, write, mmap, rename, unlink, mkdir, connect, send, …; `injector doctor` lists those of
    /// this kernel. Example: --io 'read,write:error=EIO:path=/var/lib/**/*.db'
    #[arg(long, value_name = "OP:ACTIONS", help_heading = "Rules")]
    #[arg(add = ArgValueCompleter::new(completions::operations))]
    io: Vec<String>,
    /// A rule on processes: pause[:for=T] or 'kill SIGNAL', with [:after=T][:every=T][:when=…][:prob=5%][:times=N]
    ///
    /// A pause stops all processes of a target without telling them (by the cgroup's freezer; for --pid by SIGSTOP). It
    /// ends with the rule at the latest, even if injector is killed. A signal goes to each process, or with comm=NAME to
    /// those with that name. Rounds come every=T, the first one after=T, and when= counts them. Examples: --process pause:for=2s:every=10s
    /// --process 'kill SIGKILL:every=30s:prob=10%'
    #[arg(long, value_name = "ACTION", help_heading = "Rules")]
    #[arg(add = ArgValueCompleter::new(completions::actions_on_processes))]
    process: Vec<String>,
}

impl FromArgMatches for Rules {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut found = Vec::new();
        for (grammar, id) in GRAMMARS {
            if matches.value_source(id) != Some(ValueSource::CommandLine) {
                continue;
            }
            let indices = matches.indices_of(id).into_iter().flatten();
            let values = matches.get_many::<String>(id).into_iter().flatten();
            found.extend(indices.zip(values).map(|(index, value)| (index, grammar, value.clone())));
        }
        found.sort_by_key(|&(index, ..)| index);
        Ok(Self(found.into_iter().map(|(_, grammar, value)| (grammar, value)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Rules {
    fn augment_args(command: clap::Command) -> clap::Command {
        RuleOptions::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        RuleOptions::augment_args_for_update(command)
    }
}

impl Rules {
    /// Parses them.
    pub(super) fn parse(&self) -> Result<Vec<Rule>, SpecError> {
        self.each().collect()
    }

    /// Parses each by itself.
    pub(super) fn each(&self) -> impl Iterator<Item = Result<Rule, SpecError>> {
        self.0.iter().map(|(grammar, text)| grammar.parse(text))
    }

    /// As they were given, for another injector.
    pub(super) fn texts(self) -> Vec<(Grammar, String)> {
        self.0
    }
}

/// How the plan acts and what is told of it.
#[derive(Args, Debug)]
#[command(next_help_heading = "Plan")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Behaviour {
    /// End after this time, such as 30s or 5m; `forever` for no limit
    #[arg(long = "for", value_name = "TIME")]
    pub(super) duration: Option<String>,
    /// Seed of all random decisions: same seed, same program order, same faults
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// A name for the plan, which `injector ps` lists and `stop`, `change`, `pause` and `resume` take as well as its id
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<PlanName>,
    /// Print what would be done, and do nothing; as JSON with --json
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Count what would have fired, inject nothing
    #[arg(long)]
    pub(super) monitor: bool,
    /// How long a packet may wait: a rule with a longer delay is refused, and a packet that would wait longer for a rate
    /// is lost
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub(super) max_packet_delay: String,
    /// Allow dangerous calls (close, futex, …), wide targets (the root cgroup, process 1) and delays under locks, and apply
    /// rules on packets to your own SSH connection, too
    #[arg(long = "unsafe")]
    pub(super) allow_unsafe: bool,
    /// How long a call may be delayed at a time, such as 30s; 10s if not given
    #[arg(long, value_name = "TIME")]
    pub(super) max_call_delay: Option<String>,
    /// Prepare the plan for a rule, of any kind and written as for -e, that `injector change` may bring: the change is
    /// quicker, and its rules may choose files and sockets. May be given more than once. Without another rule the plan is
    /// idle until the first change
    #[arg(long, value_name = "RULE", add = ArgValueCompleter::new(completions::expressions))]
    pub(super) prepare: Vec<String>,
    /// Refuse `injector change` of the rules, and give up the capabilities that only a change would need
    #[arg(long, conflicts_with = "prepare")]
    pub(super) fixed: bool,
    /// The addresses of a host that rules on packets name, in place of what this machine's resolver says. May be given more
    /// than once: all addresses of a name count
    #[arg(long = "host", value_name = "NAME=ADDRESS[,ADDRESS]", value_parser = host)]
    pub(super) hosts: Vec<(String, Vec<IpAddr>)>,
    /// Children are always included; accepted because strace has it
    #[arg(short = 'f', hide = true)]
    _follow: bool,
    #[command(flatten)]
    pub(super) outcome: Outcome,
}

impl Behaviour {
    /// The options of the plan; `default` is the time limit where none was given, `whole` whether a change
    /// may bring any rule.
    pub(super) fn options(&self, default: Option<Duration>, whole: bool) -> Result<Options, Failure> {
        self.outcome.check()?;
        let duration = match self.duration.as_deref().map(until).transpose()? {
            None => default,
            Some(Until::Forever) => None,
            Some(Until::After(time)) => Some(time),
        };
        let seed = match self.seed {
            Some(seed) => seed,
            // Short enough to be typed again.
            None => engine::random_u64()? >> 32,
        };
        let max_call_delay = match self.max_call_delay.as_deref() {
            Some(time) => units::duration(time)?,
            None => MAX_CALL_DELAY,
        };
        let max_packet_delay = units::duration(&self.max_packet_delay)?;
        let mut options = Options::default().seed(seed);
        options.max_packet_delay = max_packet_delay;
        options.max_call_delay = max_call_delay;
        options.records = self.outcome.log.is_some();
        options.name.clone_from(&self.name);
        options.monitor = self.monitor;
        options.allow_unsafe = self.allow_unsafe;
        options.duration = duration;
        // The cgroup of a command is its own.
        options.once = true;
        options.whole = whole && !self.fixed;
        options.fixed = self.fixed;
        let prepared = self.prepare.iter().map(|text| Grammar::Expression.parse(text));
        options.repertoire = prepared.collect::<Result<_, _>>()?;
        for (name, addresses) in &self.hosts {
            options.hosts.entry(name.to_lowercase()).or_default().extend(addresses);
        }
        Ok(options)
    }
}

/// A value of `--host`.
fn host(text: &str) -> Result<(String, Vec<IpAddr>), String> {
    let (name, addresses) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| "it must be a name, `=` and addresses, such as `db=10.0.0.5`".to_owned())?;
    let address = |text: &str| match text {
        "" => Err("an address is missing".to_owned()),
        _ => text.parse().map_err(|_| format!("`{text}` is not an IP address")),
    };
    Ok((name.to_owned(), addresses.split(',').map(address).collect::<Result<_, _>>()?))
}

/// What `--for` says.
pub(super) fn until(text: &str) -> Result<Until, SpecError> {
    match text {
        "forever" => Ok(Until::Forever),
        _ => units::duration(text).map(Until::After),
    }
}

/// An injector that knows the rules.
pub(super) fn injector(rules: Vec<Rule>) -> Result<Injector, Failure> {
    let injector = Injector::new()?;
    Ok(rules.into_iter().fold(injector, Injector::rule))
}
