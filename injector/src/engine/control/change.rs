//! Other rules for a live plan, by whoever wants them: its injector is asked through the kernel, does it, and answers.

use std::{
    collections::BTreeSet,
    io,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    clock,
    distribution::Files,
    engine::{
        self, EngineError,
        control::error::ControlError,
        request::{Answer, Grammar, PATIENCE, Request, Tables, Until},
    },
    kernel::live::{
        control::{ControlChannel, MESSAGE, Message},
        enclosure::Enclosure,
        registry::LivePlan,
    },
    plan::{Change, read_files},
    resolver,
    spec::model::Rule,
};

/// How long a change may take once the injector is at it: on a busy machine the kernel can take seconds to
/// attach a program.
const LONG: Duration = Duration::from_mins(1);

/// How often it is looked whether there is an answer.
const STEP: Duration = Duration::from_millis(20);

/// What a plan is to be.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// All its rules, each as it was typed; none to leave them as they are.
    pub texts: Vec<(Grammar, String)>,
    /// The same, read.
    pub rules: Vec<Rule>,
    /// Another end; `None` for the one that it has.
    pub until: Option<Until>,
    /// Allow what is dangerous.
    pub allow_unsafe: bool,
}

/// Has a live plan changed by its injector, and waits for its answer, a minute at the longest. What the rules' files say
/// and which addresses their hosts have is found out here, so that the injector need not wait for a disk or a name server.
/// No change comes back where only the end was to be another one.
///
/// # Errors
/// The injector refuses it, does not answer, or cannot be asked. If it says so, nothing has changed.
pub fn change(plan: &LivePlan, wanted: Wanted) -> Result<Option<Change>, ControlError> {
    // A rule that the plan has goes on with what it meant when it began: nothing is asked for it.
    let listed: BTreeSet<_> = plan.rules().into_iter().map(|(_, text)| text).collect();
    let new: Vec<_> = wanted.rules.into_iter().filter(|rule| !listed.contains(&rule.text)).collect();
    let files = read_files(&new).map_err(EngineError::from)?;
    let hosts = resolver::look_up(&new, &resolver::Table::new());
    let enclosure = enclose(&files).map_err(|error| ControlError::refused("change", plan, error))?;
    let map = enclosure.as_ref().map_or(0, |(_, number)| *number);
    let request = Request {
        revision: plan.header.revision,
        time: clock::now(),
        rules: wanted.texts,
        hosts,
        tables: Tables { map, files: files.into_keys().collect() },
        until: wanted.until,
        allow_unsafe: wanted.allow_unsafe,
    };
    ask(plan, &request)
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
fn ask(plan: &LivePlan, request: &Request) -> Result<Option<Change>, ControlError> {
    let failed = |error: io::Error| ControlError::refused("change", plan, error);
    let channel = plan.channel().map_err(failed)?;
    let text = serde_json::to_string(request).map_err(ControlError::Request)?;
    if text.len() > MESSAGE {
        return Err(ControlError::TooLong { bytes: text.len(), most: MESSAGE });
    }
    let message = Message { ticket: engine::random_u64()?, text };
    if !channel.ask(&message).map_err(failed)? {
        return Err(ControlError::Busy(plan.id()));
    }
    let (start, mut withdrawn) = (Instant::now(), false);
    loop {
        if let Some(text) = channel.answer_to(message.ticket).map_err(failed)? {
            return read(plan, &text);
        }
        if start.elapsed() >= PATIENCE && !withdrawn {
            if withdraw(&channel, &message) {
                return Err(ControlError::Unanswered { plan: plan.id(), withdrawn: true });
            }
            // It was taken out by the injector, which is at it.
            withdrawn = true;
        }
        if start.elapsed() >= LONG {
            return Err(ControlError::Unanswered { plan: plan.id(), withdrawn: false });
        }
        if !plan.is_listed().map_err(failed)? {
            return Err(ControlError::Ended(plan.id()));
        }
        sleep(STEP);
    }
}

fn read(plan: &LivePlan, text: &str) -> Result<Option<Change>, ControlError> {
    let plan = plan.id();
    match serde_json::from_str(text) {
        Ok(Answer::Done(change)) => Ok(change),
        Ok(Answer::Refused { message, hint, blame }) => {
            Err(ControlError::Refused { plan, message, hint, blame })
        }
        Err(source) => Err(ControlError::Unreadable { plan, source }),
    }
}

/// Takes the request back, so that an injector which is stopped does not find it later. False if it is no
/// longer there.
fn withdraw(channel: &ControlChannel, message: &Message) -> bool {
    match channel.take() {
        Ok(Some(taken)) if taken == *message => true,
        Ok(Some(other)) => {
            // Somebody else's. If there is no room for it any more, there is a newer one.
            let _ = channel.ask(&other);
            false
        }
        _ => false,
    }
}
