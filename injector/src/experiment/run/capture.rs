//! Names that get a value while the experiment runs: from a command, from a probe, or drawn.

use std::sync::Arc;

use crate::experiment::{
    action::output,
    condition::Measure,
    journal::Record,
    model::{Capture, Captured, Expect},
    run::context::{Context, Stop},
    schedule::{chosen, sub_seed},
};

/// Gives a name its value.
///
/// # Errors
/// [`Stop`]: there is none.
pub(super) async fn capture(context: &Arc<Context>, capture: &Capture, path: &str) -> Result<(), Stop> {
    let name = &capture.name.value;
    let failed = |why: String| Stop::Failed(format!("`{name}` gets no value: {why}"));
    let value = match &capture.from {
        _ if context.captured.contains_key(name) => context.captured[name].clone(),
        Captured::Command { command, inside, timeout, expect } => {
            let words = context.words(command)?;
            let namespaces = context.namespaces(inside.as_deref());
            let asked = output(&namespaces, &words, *timeout);
            let printed = context.abort.unless(asked).await?.map_err(failed)?;
            taken(&printed, expect).map_err(failed)?
        }
        Captured::Probe(source) => {
            let last = context.recorder.ask(|account| {
                let evidence = account.evidence();
                let until = evidence.known_until(source)?;
                evidence.last(source, until, u64::MAX / 2).measure(Measure::Value, evidence.nature(source))
            });
            last.ok_or_else(|| failed(format!("`{}` has had no number yet", source.value)))?.to_string()
        }
        Captured::AnyOf { choices, count } => {
            let seed = sub_seed(context.seed, &format!("{path}/{name}"));
            let places = chosen(seed, choices.len(), *count);
            let drawn: Result<Vec<_>, _> =
                places.iter().map(|&place| context.fill(&choices[place])).collect();
            drawn?.join(",")
        }
    };
    context.variables.set(name, &value);
    context.recorder.record(Record::Set { name: name.clone(), value });
    Ok(())
}

/// What is taken of an output: a group, a place in its JSON, or the whole.
fn taken(printed: &str, expect: &Expect) -> Result<String, String> {
    if let Some(regex) = &expect.matches {
        let found = regex
            .captures(printed.as_bytes())
            .ok_or_else(|| format!("`{}` does not match", printed.trim()))?;
        let group = found.get(1).or_else(|| found.get(0)).map(|found| found.as_bytes());
        return Ok(String::from_utf8_lossy(group.unwrap_or_default()).into_owned());
    }
    if let Some(json) = &expect.json {
        let parsed: serde_json::Value =
            serde_json::from_str(printed).map_err(|_| "the output is no JSON".to_owned())?;
        let found = json.path.query(&parsed).exactly_one().map_err(|error| error.to_string())?;
        return Ok(found.as_str().map_or_else(|| found.to_string(), str::to_owned));
    }
    Ok(printed.trim().to_owned())
}
