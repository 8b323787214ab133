//! Rules on operations: `OP[,OP…][:error=ERRNO][:delay=TIME[~JITTER][:distribution=D]][:path=GLOB…][:peer=CIDR][:port=LIST]` with `comm=`,
//! `when=`, `prob=`, `times=` and `scope=` as for calls. A `:` behind a `\` or between `[` and `]` separates nothing, so that a path
//! or an IPv6 address can hold one.

mod model;
mod problem;

pub use self::{model::OperationRule, problem::OperationProblem};
use crate::{
    operations::{self, Object, Operation},
    spec::{
        actions::{bare_errno, given},
        comm::Comm,
        delay::{self, Delay},
        errno::Errno,
        error::{Located, SpecError},
        familiar,
        model::{Rule, RuleKind, Scope, Trigger, When},
        nearest::nearest,
        netem::Distribution,
        object::{self, Chosen},
        problem::WordProblem,
        qualifier::unqualified,
        trigger,
        units::Probability,
        word::{Word, once},
    },
    syscalls::{self, Machine},
};

/// Reads `OP[,OP…]:ACTIONS`, what follows `--io`.
///
/// # Errors
/// [`SpecError`] with the mistake, its place in the text and a hint.
pub fn operation(text: &str) -> Result<Rule, SpecError> {
    let rule = unqualified(text).and_then(rule).map_err(|located| SpecError::new("rule", text, located))?;
    Ok(Rule { text: text.to_owned(), kind: RuleKind::Operation(rule) })
}

pub(super) fn rule(text: Word<'_>) -> Result<OperationRule, Located> {
    let (set, words) = text.split_once(":").map_or((text, None), |(set, words)| (set, Some(words)));
    let operations = operations_of(set, text.text)?;
    let mut actions = Actions::default();
    for word in words.into_iter().flat_map(Word::guarded_pieces) {
        actions.read(word, &operations)?;
    }
    let (error, delay) = (actions.error, actions.delay);
    let example = "delay=10ms~2ms:distribution=normal";
    let distribution = delay::distribution(actions.distribution, [delay, None], example)?;
    if error.is_none() && delay.is_none() {
        return Err(set.problem(OperationProblem::NoAction(set.text.into())));
    }
    let trigger = Trigger {
        when: actions.when.unwrap_or(When::ALWAYS),
        probability: actions.probability.unwrap_or(Probability::ALWAYS),
        times: actions.times,
        scope: actions.scope.unwrap_or_default(),
    };
    let objects = actions.chosen.finish()?;
    Ok(OperationRule { operations, error, delay, distribution, objects, comm: actions.comm, trigger })
}

/// The operations of a set, with which the rule `text` begins.
fn operations_of(set: Word<'_>, text: &str) -> Result<Vec<&'static Operation>, Located> {
    let mut found = Vec::new();
    if set.text.is_empty() {
        return Err(set.problem(OperationProblem::NoOperation));
    }
    for word in set.whole_pieces("read,write")? {
        let operation = operations::get(word.text).ok_or_else(|| word.problem(unknown(word.text, text)))?;
        if found.contains(&operation) {
            return Err(word.problem(WordProblem::Twice(word.text.into())));
        }
        found.push(operation);
    }
    Ok(found)
}

/// A word that is no operation: perhaps a system call.
fn unknown(word: &str, rule: &str) -> OperationProblem {
    let near = nearest(word, operations::TABLE.iter().map(|operation| operation.name));
    if syscalls::all(Machine::HOST).any(|call| call.name == word) {
        let (set, words) = rule.split_once(':').unwrap_or((rule, "…"));
        let words = words.replace("delay=", "delay_enter=");
        // Of several operations, one may be no call.
        let instead =
            if set == word { format!("inject={set}:{words}") } else { format!("inject={word}:…") };
        return OperationProblem::Call { word: word.into(), instead };
    }
    OperationProblem::Unknown { word: word.into(), near }
}

/// The words as far as they were read.
#[derive(Default)]
struct Actions<'a> {
    error: Option<Errno>,
    delay: Option<Delay>,
    distribution: Option<(Word<'a>, Distribution)>,
    chosen: Chosen<'a>,
    comm: Option<Comm>,
    when: Option<When>,
    probability: Option<Probability>,
    times: Option<u64>,
    scope: Option<Scope>,
}

/// The words besides those that choose objects, with an example each.
const WORDS: [(&str, &str); 8] = [
    ("error", "error=EIO"),
    ("delay", "delay=20ms"),
    ("distribution", "distribution=normal"),
    ("comm", "comm=redis-server"),
    ("when", "when=3"),
    ("prob", "prob=5%"),
    ("times", "times=3"),
    ("scope", "scope=process"),
];

fn words() -> impl Iterator<Item = (&'static str, &'static str)> {
    object::WORDS.into_iter().chain(WORDS)
}

impl<'a> Actions<'a> {
    fn read(&mut self, word: Word<'a>, operations: &[&'static Operation]) -> Result<(), Located> {
        let (name, value) = match word.split_once("=") {
            Some((name, value)) => (name, value),
            None => (word, word.until_start()),
        };
        let Some((_, example)) = words().find(|(known, _)| *known == name.text) else {
            return Err(name.problem(match self.chosen.port_of_peer(word) {
                near @ Some(_) => OperationProblem::UnknownWord { word: word.text.into(), near },
                None => no_word(name.text),
            }));
        };
        let value = given(name, value, example)?;
        match name.text {
            "error" => once(&mut self.error, Errno::parse(value)?, word),
            "delay" => once(&mut self.delay, Delay::parse(value)?, word),
            "distribution" => once(&mut self.distribution, (word, delay::named(value)?), word),
            "path" => {
                fits(name, operations, |object| object == Object::Path)?;
                self.chosen.read(word, name, value)
            }
            "peer" => {
                fits(name, operations, |object| object == Object::Connection)?;
                self.chosen.read(word, name, value)
            }
            "port" => {
                fits(name, operations, |object| object != Object::Path)?;
                self.chosen.read(word, name, value)
            }
            "comm" => once(&mut self.comm, Comm::parse(value)?, word),
            "when" => once(&mut self.when, trigger::when(value)?, word),
            "prob" => once(&mut self.probability, Probability::parse(value)?, word),
            "times" => once(&mut self.times, trigger::times(value)?, word),
            _ => once(&mut self.scope, trigger::scope(value)?, word),
        }
    }
}

/// Can all `operations` be chosen by `word`?
fn fits(
    word: Word<'_>,
    operations: &[&'static Operation],
    suits: impl Fn(Object) -> bool,
) -> Result<(), Located> {
    match operations.iter().find(|operation| !suits(operation.object)) {
        None => Ok(()),
        Some(operation) => Err(word.problem(OperationProblem::Unsuited {
            word: format!("{}=", word.text),
            operation: operation.name,
            object: operation.object,
        })),
    }
}

fn no_word(word: &str) -> OperationProblem {
    if matches!(word, "retval" | "signal" | "delay_enter" | "delay_exit" | "at" | "on" | "fd") {
        return OperationProblem::NotAtHooks(format!("{word}="));
    }
    let near = || nearest(word, words().map(|(known, _)| known)).map(|near| format!("{near}=").into());
    let near = familiar::operation_word(word).or_else(|| bare_errno(word)).or_else(near);
    OperationProblem::UnknownWord { word: word.into(), near }
}
