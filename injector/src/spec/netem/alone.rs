//! What can happen to packets beyond netem's words: `partition` and `connect=ERRNO`. Each stands alone, since nothing
//! is left of the packet for anything else to happen to.

use super::reader::Reader;
use crate::spec::{
    errno::Errno,
    error::{Located, Problem},
    packet::NetFault,
    word::Word,
};

/// What they begin with.
pub(super) const WORDS: [&str; 2] = ["partition", "connect="];

/// The last error that the kernel gives to programs; the next are its own (include/linux/errno.h).
const LAST_ERROR: u16 = 511;

/// Is it one of them?
pub(super) fn is(text: &str) -> bool {
    let name = text.split_inclusive('=').next().unwrap_or_default();
    WORDS.contains(&name) || name == "connect"
}

/// Reads one of them with its values; `None` if `word` is none.
pub(super) fn read(word: Word<'_>, words: &mut Reader<'_>) -> Result<Option<NetFault>, Located> {
    Ok(Some(match word.text {
        "partition" => NetFault::Partition,
        "connect" => {
            let example = "connect=ECONNREFUSED";
            words.next();
            return Err(word.problem(Problem::NoValue { word: word.text.into(), example }));
        }
        _ => match word.split_once("=") {
            Some((name, error)) if name.text == "connect" => NetFault::Connect(connect_error(word, error)?),
            _ => return Ok(None),
        },
    }))
}

fn connect_error(word: Word<'_>, error: Word<'_>) -> Result<Errno, Located> {
    if error.text.is_empty() {
        let (word_text, example) = (word.text.into(), "connect=ECONNREFUSED");
        return Err(word.problem(Problem::NoValue { word: word_text, example }));
    }
    let errno = Errno::parse(error)?;
    if errno.number() > LAST_ERROR {
        return Err(error.problem(Problem::ConnectError(error.text.into())));
    }
    Ok(errno)
}

/// Why nothing else can stand beside it.
pub(super) const fn remedy(fault: &NetFault) -> &'static str {
    match fault {
        NetFault::Connect(_) => {
            "where connect(2) fails no packet is made: leave the rest out, or write it as a second rule"
        }
        _ => "`partition` lets nothing pass: leave the rest out, or write `loss 100%`",
    }
}
