//! `injector change`: other rules for a live plan, whoever started it. The injector that owns it is asked
//! through the kernel, does it, and answers.

use std::{
    collections::BTreeSet,
    io,
    thread::sleep,
    time::{Duration, Instant},
};

use clap::Args;

use crate::{
    cli::{
        arguments::{Rules, until},
        exit::{Code, Failure},
        output, plans,
    },
    clock,
    distribution::Files,
    engine::{
        self, EngineError,
        request::{Answer, PATIENCE, Request, Tables, Until},
    },
    kernel::live::{
        control::{MESSAGE, Mailbox, Message},
        enclosure::Enclosure,
        registry::LivePlan,
    },
    plan::{Change as Changed, Numbered, read_files},
    resolver,
};

/// How long a change may take once the injector is at it: on a busy machine the kernel can take seconds to
/// attach a program.
const LONG: Duration = Duration::from_mins(1);

/// How often it is looked whether there is an answer.
const STEP: Duration = Duration::from_millis(20);

/// Change a live plan without a pause, as `tc qdisc change` does.
///
/// The rules given are all that the plan has from then on. Those that mean the same as before go on with their
/// counters and never pause; new ones start at zero; the others stop, and stay in the closing report. The seed
/// stays, and so does the end unless --for is given. If the new rules cannot be had, nothing changes.
#[derive(Args, Debug)]
pub(super) struct Change {
    /// The plan, as `injector ps` lists it; its first digits are enough
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    rules: Rules,
    /// End so long from now, such as 30s or 5m; `forever` for no limit
    #[arg(long = "for", value_name = "TIME")]
    duration: Option<String>,
    /// Print what has changed as JSON
    #[arg(long)]
    json: bool,
    /// Allow dangerous calls: close, futex, …
    #[arg(long = "unsafe")]
    insist: bool,
}

impl Change {
    pub(super) fn run(self) -> Result<Code, Failure> {
        // What is wrong with the text itself is said here, where it was typed.
        let rules = self.rules.parse()?;
        let until = self.duration.as_deref().map(until).transpose()?;
        if rules.is_empty() && until.is_none() {
            return Err(Failure::usage(
                "change needs a rule or --for, and neither was given",
                "name all rules that the plan is to have, or end it with `injector stop`",
            ));
        }
        let plan = plans::only(&self.id)?;
        // A rule that the plan has goes on with what it meant when it began: nothing is asked for it.
        let listed: BTreeSet<_> = plan.rules().into_iter().map(|(_, text)| text).collect();
        let new: Vec<_> = rules.into_iter().filter(|rule| !listed.contains(&rule.text)).collect();
        let files = read_files(&new).map_err(EngineError::from)?;
        let hosts = resolver::look_up(&new);
        let enclosure = enclose(&files).map_err(|error| plans::refused("change", &plan, &error))?;
        let map = enclosure.as_ref().map_or(0, |(_, number)| *number);
        let request = Request {
            revision: plan.header.revision,
            time: clock::now(),
            rules: self.rules.texts(),
            hosts,
            tables: Tables { map, files: files.into_keys().collect() },
            until,
            insist: self.insist,
        };
        let change = ask(&plan, &request)?;
        if self.json {
            output::print_json(&change.unwrap_or_default())?;
            return Ok(Code::OK);
        }
        if let Some(change) = change {
            told(&plan, &change);
        }
        let name = plans::name(&plan);
        match (request.until, &self.duration) {
            (Some(Until::Forever), _) => output::note(format_args!("plan {name} has no end of its own")),
            (_, Some(text)) => output::note(format_args!("plan {name} ends in {text}")),
            (_, None) => {}
        }
        Ok(Code::OK)
    }
}

/// Tables for the plan's injector, and their number, if there are any. They have to live until it has answered.
fn enclose(files: &Files) -> io::Result<Option<(Enclosure, u32)>> {
    if files.is_empty() {
        return Ok(None);
    }
    let enclosure = Enclosure::make(files.values().map(|table| &**table))?;
    let number = enclosure.number()?;
    Ok(Some((enclosure, number)))
}

/// Asks the plan's injector, and waits for its answer.
fn ask(plan: &LivePlan, request: &Request) -> Result<Option<Changed>, Failure> {
    let name = plans::name(plan);
    let failed = |error: io::Error| plans::refused("change", plan, &error);
    let mailbox = plan.mailbox().map_err(failed)?;
    let text = serde_json::to_string(request)
        .map_err(|error| Failure::other(format!("cannot write the request: {error}"), ""))?;
    if text.len() > MESSAGE {
        return Err(Failure::usage(
            format!("the rules are too long: {} bytes, and a request holds {MESSAGE}", text.len()),
            "give fewer of them, or shorter ones",
        ));
    }
    let message = Message { ticket: engine::random_u64()?, text };
    if !mailbox.ask(&message).map_err(failed)? {
        return Err(Failure::other(
            format!("cannot change plan {name}: somebody else is about to change it"),
            "see what it is then with `injector ps`, and try again",
        ));
    }
    let (start, mut withdrawn) = (Instant::now(), false);
    loop {
        if let Some(text) = mailbox.answer_to(message.ticket).map_err(failed)? {
            return read(&name, &text);
        }
        if start.elapsed() >= PATIENCE && !withdrawn {
            if withdraw(&mailbox, &message) {
                return Err(unanswered(&name, "nothing has changed"));
            }
            // It was taken out by the injector, which is at it.
            withdrawn = true;
        }
        if start.elapsed() >= LONG {
            return Err(unanswered(&name, "whether it has changed the plan is not known"));
        }
        if !plan.is_listed().map_err(failed)? {
            return Err(Failure::other(
                format!("cannot change plan {name}: it has ended meanwhile"),
                "`injector ps` lists what lives",
            ));
        }
        sleep(STEP);
    }
}

fn read(name: &str, text: &str) -> Result<Option<Changed>, Failure> {
    match serde_json::from_str(text) {
        Ok(Answer::Done(change)) => Ok(change),
        Ok(Answer::Refused { message, hint, blame }) => Err(Failure {
            message: format!("cannot change plan {name}, which goes on as it was: {message}"),
            hint,
            code: blame.into(),
        }),
        Err(error) => Err(Failure::other(
            format!("the injector of plan {name} gives an answer that cannot be read: {error}"),
            "use the same version of injector for both; `injector ps` tells what the plan is now",
        )),
    }
}

/// Takes the request back, so that an injector which is stopped does not find it later. False if it is no
/// longer there.
fn withdraw(mailbox: &Mailbox, message: &Message) -> bool {
    match mailbox.take() {
        Ok(Some(taken)) if taken == *message => true,
        Ok(Some(other)) => {
            // Somebody else's. If there is no room for it any more, there is a newer one.
            let _ = mailbox.ask(&other);
            false
        }
        _ => false,
    }
}

fn unanswered(name: &str, what: &str) -> Failure {
    Failure::other(
        format!("the injector of plan {name} does not answer; {what}"),
        "it may be stopped (Ctrl-Z); `injector ps` tells what the plan is now, `injector stop` ends it",
    )
}

fn told(plan: &LivePlan, change: &Changed) {
    let name = plans::name(plan);
    let counts = [("kept", &change.kept), ("added", &change.added), ("removed", &change.removed)];
    let counts = counts.map(|(what, rules)| format!("{} {what}", rules.len()));
    output::note(format_args!("plan {name} has changed: {}", counts.join(", ")));
    let lines = |what: &str, rules: &[Numbered]| {
        for rule in rules {
            output::note(format_args!("{what} rule {}: `{}`", rule.rule, rule.text));
        }
    };
    lines("added", &change.added);
    lines("removed", &change.removed);
    for text in &change.notes {
        output::note(format_args!("note: {}", output::shortened(text)));
    }
}
