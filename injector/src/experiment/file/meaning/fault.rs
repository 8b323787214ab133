//! Faults: their rules, cuts and what is done to processes.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    experiment::{
        file::{
            cause::Cause,
            form::{CutForm, Placed, PulseForm, StepKeys, Text, TextOrList, VaryForm},
            meaning::{
                filled::Filled,
                reader::{Names, Reader, refusal},
            },
        },
        model::{Curve, Cut, CutFrom, Fault, Located, Part, ProcessFault, Pulse, RuleTemplate, Vary, Way},
        schedule::stages,
    },
    spec::{self, signal::Signal},
    syscalls::Machine,
};

/// Steps of a number that changes.
const STEPS: u32 = 20;

impl Reader<'_> {
    /// What a step with `fault` does.
    pub(super) fn fault(&mut self, name: &Text, step: &Placed<StepKeys>) -> Fault {
        let keys = &step.value;
        let vary = keys.vary.iter().filter_map(|(name, form)| {
            let plain = self.given_name(name);
            self.vary(form).map(|vary| (plain, vary))
        });
        let vary: BTreeMap<String, Vary> = vary.collect();
        let mut parts = Vec::new();
        for (grammar, texts) in [("inject", &keys.syscall), ("io", &keys.io), ("net", &keys.net)] {
            for text in texts.iter().flat_map(TextOrList::all) {
                // Without all numbers that vary, the rule cannot be read.
                let vary = Some(&vary).filter(|vary| vary.len() == keys.vary.len());
                parts.push(Part::Rule(self.rule(grammar, text, vary)));
            }
            if let Some(texts) = texts.as_ref().filter(|texts| texts.all().is_empty()) {
                self.wrong_at(texts.place(), Cause::Empty("rule"));
            }
        }
        if let Some(cut) = &keys.cut {
            parts.extend(self.cut(cut).map(Part::Cut));
        }
        for text in keys.process.iter().flat_map(TextOrList::all) {
            let process = self.process(text).map(|value| Part::Process(Located { value, place: text.place }));
            parts.extend(process);
        }
        let several = [
            ("syscall", keys.syscall.is_some()),
            ("io", keys.io.is_some()),
            ("net", keys.net.is_some()),
            ("cut", keys.cut.is_some()),
            ("process", keys.process.is_some()),
        ];
        if several.iter().all(|(_, there)| !there) {
            let keys = several.iter().map(|&(key, _)| key).collect();
            self.wrong_at(step.place, Cause::NoneOf { what: "a fault", keys });
        }
        let targets = match &keys.target {
            Some(targets) if !targets.all().is_empty() => {
                targets.all().iter().map(|target| self.located_template(target, Names::Step)).collect()
            }
            Some(targets) => {
                self.wrong_at(targets.place(), Cause::Empty("target"));
                Vec::new()
            }
            None => {
                self.wrong_at(step.place, Cause::MissingKey("target"));
                Vec::new()
            }
        };
        Fault {
            name: self.given_name(name),
            targets,
            parts,
            lasting: keys.r#for.as_ref().and_then(|time| self.duration(time)),
            background: keys.background.is_some_and(|flag| flag.0),
            vary,
            pulse: keys.pulse.as_ref().and_then(|pulse| self.pulse(pulse)),
        }
    }

    /// A rule, which is tried with what its names have in the beginning.
    fn rule(
        &mut self,
        grammar: &'static str,
        text: &Text,
        vary: Option<&BTreeMap<String, Vary>>,
    ) -> Located<RuleTemplate> {
        let template = self.template(text, Names::Step);
        let Some(vary) = vary else {
            return Located { value: RuleTemplate { grammar, text: template }, place: text.place };
        };
        let stand_in = |_: &str| STAND_IN.to_owned();
        let filled = self.filled_with(text, Names::Step, stand_in, |this, filled, literal| {
            this.push_varied(text, filled, literal, vary);
        });
        if let Ok(filled) = filled {
            let read = match grammar {
                "inject" => spec::syscall(&filled.text, Machine::HOST),
                "io" => spec::operation(&filled.text),
                _ => spec::net(&filled.text),
            };
            // What is captured may be anything.
            let captured = template.names().any(|name| self.captured.contains(name));
            if let (Err(error), false) = (read, captured) {
                self.wrong_in(text, &filled, error.span(), Cause::Rule(error));
            }
        }
        Located { value: RuleTemplate { grammar, text: template }, place: text.place }
    }

    /// A literal part of a rule, in which `{name}` stands for a number.
    fn push_varied(
        &mut self,
        text: &Text,
        filled: &mut Filled,
        (literal, start): (&str, usize),
        vary: &BTreeMap<String, Vary>,
    ) {
        let mut at = 0;
        while let Some(open) = literal[at..].find('{').map(|open| at + open) {
            let Some(close) = literal[open..].find('}').map(|close| open + close) else { break };
            let (name, written) = (&literal[open + 1..close], start + open..start + close + 1);
            filled.push(&literal[at..open], start + at..start + open, true);
            at = close + 1;
            if let Some(vary) = vary.get(name) {
                // A rule at zero is none, so it is the next step that is read.
                let digits = vary.from.value.trim_start_matches(['0', '.']);
                let zero = digits.chars().next().is_none_or(|c| !c.is_ascii_digit());
                let stages = stages(vary, Duration::from_secs(1)).unwrap_or_default();
                let value = stages.get(1).filter(|_| zero).map(|stage| stage.value.to_string());
                filled.push(value.as_ref().unwrap_or(&vary.from.value), written, false);
            } else {
                let plain = Filled::plain(&text.value);
                let near = spec::nearest::nearest(name, vary.keys().map(String::as_str));
                let hint =
                    "declare it under `vary` of this fault; a parameter is written `${NAME}`".to_owned();
                let (what, name) = ("number that varies", name.to_owned());
                self.wrong_in(text, &plain, written.clone(), Cause::UnknownName { what, name, near, hint });
                filled.push(&literal[open..=close], written, true);
            }
        }
        filled.push(&literal[at..], start + at..start + literal.len(), true);
    }

    fn vary(&mut self, form: &VaryForm) -> Option<Vary> {
        let steps = form.steps.map_or(STEPS, |steps| {
            if !(1..=1000).contains(&steps.value) {
                let hint = "write a number from 1 to 1000".to_owned();
                self.wrong_at(
                    steps.place,
                    Cause::Value { text: steps.value.to_string(), what: "number of steps", hint },
                );
            }
            u32::try_from(steps.value).unwrap_or(STEPS)
        });
        let curves = [("linear", Curve::Linear), ("log", Curve::Log)];
        let over = form.over.as_ref().and_then(|over| self.duration(over));
        let curve =
            form.curve.as_ref().and_then(|curve| self.word(curve, "curve", &curves)).unwrap_or_default();
        let (from, to) = (self.quantity(&form.from), self.quantity(&form.to));
        let located = |value, text: &Text| Located { value, place: text.place };
        Some(Vary { from: located(from?, &form.from), to: located(to?, &form.to), over, steps, curve })
    }

    fn pulse(&mut self, form: &PulseForm) -> Option<Pulse> {
        let (active, idle) = (self.duration(&form.active), self.duration(&form.idle));
        let jitter = form.jitter.as_ref().and_then(|jitter| self.moment(jitter)).unwrap_or_default();
        let pulse = Pulse { active: active?, idle: idle?, jitter };
        if let Some(text) = form.jitter.as_ref().filter(|_| pulse.jitter >= pulse.active.min(pulse.idle)) {
            let hint = "make it shorter than both `active` and `idle`".to_owned();
            let message = "the jitter could swallow a whole pulse".to_owned();
            self.wrong(text, Cause::Senseless { message, hint });
        }
        Some(pulse)
    }

    fn cut(&mut self, form: &CutForm) -> Option<Cut> {
        let ways = [("both", Way::Both), ("out", Way::Out), ("in", Way::In)];
        let way = form.way.as_ref().and_then(|way| self.word(way, "way", &ways)).unwrap_or_default();
        let place = form.from.place();
        let names = match &form.from {
            TextOrList::Text(word) => {
                let words = [("peers", CutFrom::Peers), ("all", CutFrom::All)];
                let known: Vec<_> = words.iter().map(|(name, _)| (*name, *name)).collect();
                let word = self.word(word, "choice of others (a list of names is written in [ ])", &known)?;
                let value = words.into_iter().find(|(name, _)| *name == word).map(|(_, from)| from)?;
                return Some(Cut { from: Located { value, place }, way });
            }
            TextOrList::List(names, _) => names,
        };
        if names.is_empty() {
            self.wrong_at(place, Cause::Empty("name"));
        }
        let names = names.iter().map(|name| self.template(name, Names::Step)).collect();
        Some(Cut { from: Located { value: CutFrom::Named(names), place }, way })
    }

    /// `pause`, `kill SIGNAL` or `restart`.
    fn process(&mut self, text: &Text) -> Option<ProcessFault> {
        self.parsed(text, |word| match word {
            "pause" => Ok(ProcessFault::Pause),
            "restart" => Ok(ProcessFault::Restart),
            _ => {
                let value = |hint: &str| {
                    let (text, hint) = (word.to_owned(), hint.to_owned());
                    Cause::Value { text, what: "way to treat processes", hint }
                };
                if let Some(colon) = word.find(':') {
                    let hint = "write `pause` or `kill SIGNAL`; `for`, `pulse` and `repeat` say when";
                    return Err(refusal(Some(colon..word.len()), value(hint)));
                }
                spec::process(word).map_err(|error| refusal(Some(error.span()), Cause::Rule(error)))?;
                let signal = word.trim().strip_prefix("kill").and_then(Signal::from_name);
                signal
                    .map(ProcessFault::Kill)
                    .ok_or_else(|| refusal(None, value("write `pause`, `kill SIGNAL` or `restart`")))
            }
        })
    }
}

/// What an address is taken for until it is known (RFC 5737).
const STAND_IN: &str = "192.0.2.1";
