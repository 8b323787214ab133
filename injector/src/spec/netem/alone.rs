//! What can happen to packets beyond netem's words: `partition`, `connect=ERRNO`, `reject [rst|icmp [WHAT]]` and
//! `dns ANSWER [for NAMES]`. Each stands alone, since nothing is left of the packet for anything else to happen to.

use crate::spec::{
    dns::{Answer, Dns},
    errno::Errno,
    error::Located,
    nearest::{Near, nearest},
    netem::reader::Reader,
    packet::{NetFault, Reject, Unreachable},
    problem::{NetemProblem, WordProblem},
    vocabulary::{MATCH_WORDS, is_fault},
    word::Word,
};

/// How `reject` answers.
const ANSWERS: [&str; 2] = ["rst", "icmp"];

/// The last error that the kernel gives to programs; the next are its own (include/linux/errno.h).
const LAST_ERROR: u16 = 511;

/// Reads one of them with its values; `None` if `word` is none.
pub(super) fn read(word: Word<'_>, words: &mut Reader<'_>) -> Result<Option<NetFault>, Located> {
    Ok(Some(match word.text {
        "partition" => NetFault::Partition,
        "reject" => NetFault::Reject(reject(words)?),
        "dns" => NetFault::Dns(dns(word, words)?),
        "connect" => {
            let example = "connect=ECONNREFUSED";
            words.next();
            return Err(word.problem(WordProblem::NoValue { word: word.text.into(), example }));
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
        return Err(word.problem(WordProblem::NoValue { word: word_text, example }));
    }
    let errno = Errno::parse(error)?;
    if errno.number() > LAST_ERROR {
        return Err(error.problem(NetemProblem::ConnectError(error.text.into())));
    }
    Ok(errno)
}

/// Reads what follows `dns`.
fn dns(word: Word<'_>, words: &mut Reader<'_>) -> Result<Dns, Located> {
    let answer = Answer::read(words.value(word, "dns nxdomain for *.example.com")?)?;
    let dns = match words.exactly("for") {
        None => Dns { answer, names: Vec::new() },
        Some(word) => Dns::names(answer, words.value(word, "dns nxdomain for *.example.com")?)?,
    };
    // A name that `for` or a comma is missing before.
    match words.next_if(|word| word.contains('.') && !word.starts_with(|c: char| c.is_ascii_digit())) {
        None => Ok(dns),
        Some(name) => {
            let names: Vec<_> = dns.names.iter().map(String::as_str).chain([name.text]).collect();
            let near = format!("write `dns {} for {}`", answer.word(), names.join(","));
            let near = Some(Near::Otherwise(near.into()));
            Err(name.problem(NetemProblem::UnknownNetFault { word: name.text.into(), near }))
        }
    }
}

/// Reads what follows `reject`.
fn reject(words: &mut Reader<'_>) -> Result<Reject, Located> {
    let Some(answer) = words.next_if(|word| word == "icmp" || !known(word)) else {
        return Ok(Reject::ByProtocol);
    };
    match answer.text {
        "rst" => return Ok(Reject::Reset),
        "icmp" => {}
        "tcp-reset" => return Err(answer.problem(unknown_answer(answer.text, Some("rst".into())))),
        other => return Err(answer.problem(unknown_answer(other, nearest(other, ANSWERS)))),
    }
    let Some(what) = words.next_if(|word| word == "port" || !known(word)) else {
        return Ok(Reject::Unreachable(Unreachable::default()));
    };
    let named = Unreachable::ALL.into_iter().find(|known| known.word() == what.text);
    named.map(Reject::Unreachable).ok_or_else(|| {
        let near = nearest(what.text, Unreachable::ALL.map(Unreachable::word));
        what.problem(NetemProblem::UnknownUnreachable { word: what.text.into(), near })
    })
}

fn unknown_answer(word: &str, near: Option<String>) -> NetemProblem {
    NetemProblem::UnknownAnswer { word: word.into(), near }
}

/// Is it a word that can stand by itself, in the wrong place though it be?
fn known(word: &str) -> bool {
    is_fault(word) || MATCH_WORDS.contains(&word)
}

/// Why nothing else can stand beside it.
pub(super) const fn remedy(fault: &NetFault) -> &'static str {
    match fault {
        NetFault::Connect(_) => {
            "where connect(2) fails no packet is made: leave the rest out, or write it as a second rule"
        }
        NetFault::Dns(_) => {
            "a question that is answered goes nowhere: leave the rest out, or write it as a second rule"
        }
        NetFault::Reject(_) => {
            "a packet that is refused goes nowhere: leave the rest out, or write it as a second rule"
        }
        _ => "`partition` lets nothing pass: leave the rest out, or write `loss 100%`",
    }
}
