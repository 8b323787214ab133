//! The steps of the method.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr as _,
    time::Duration,
};

use croner::Cron;

use crate::experiment::{
    file::{
        cause::Cause,
        form::{Placed, RepeatForm, SetForm, StepForm, Text, TextOrList},
        meaning::reader::{Names, Reader},
    },
    model::{Capture, Captured, Every, Expect, JsonExpect, Located, Step, StepKind},
};

const UNTIL_WITHIN: Duration = Duration::from_secs(30);
const SET_TIMEOUT: Duration = Duration::from_secs(30);

/// What a step can be, and what each is called in messages.
const KINDS: [(&str, &str); 10] = [
    ("fault", "a fault"),
    ("wait", "a `wait`"),
    ("until", "an `until`"),
    ("check", "a `check`"),
    ("set", "a `set`"),
    ("run", "a `run`"),
    ("http", "an `http`"),
    ("parallel", "a `parallel`"),
    ("sequence", "a `sequence`"),
    ("repeat", "a `repeat`"),
];

/// Paths of steps so far, so that none is twice.
#[derive(Debug, Default)]
pub(super) struct Paths(BTreeSet<String>);

impl Paths {
    /// The path of a step called `name` in the list at `parent`; a second one of that name has a number.
    fn next(&mut self, parent: &str, name: &str) -> String {
        let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") };
        let numbered = (2_u32..).map(|number| format!("{path}-{number}"));
        let free = std::iter::once(path.clone()).chain(numbered).find(|path| !self.0.contains(path));
        let free = free.unwrap_or(path);
        self.0.insert(free.clone());
        free
    }
}

impl Reader<'_> {
    /// All names that any `set` captures, which has to be known before the first text is read.
    pub(super) fn note_captured(&mut self, steps: &[StepForm]) {
        for step in steps {
            let keys = &step.value;
            self.ever_captured.extend(keys.set.iter().flatten().map(|(name, _)| name.value.clone()));
            let lists = [&keys.parallel, &keys.sequence].into_iter().flatten();
            lists.for_each(|steps| self.note_captured(steps));
            keys.repeat.iter().for_each(|repeat| self.note_captured(&repeat.steps));
        }
    }

    /// The steps of a list.
    pub(super) fn steps(&mut self, forms: &[StepForm], parent: &str, paths: &mut Paths) -> Vec<Step> {
        forms.iter().filter_map(|form| self.step(form, parent, paths)).collect()
    }

    fn step(&mut self, form: &StepForm, parent: &str, paths: &mut Paths) -> Option<Step> {
        let Placed { value: keys, place } = form;
        self.here = *place;
        let there = |key| match key {
            "fault" => keys.fault.is_some(),
            "wait" => keys.wait.is_some(),
            "until" => keys.until.is_some(),
            "check" => keys.check.is_some(),
            "set" => keys.set.is_some(),
            "run" => keys.run.is_some(),
            "http" => keys.http.is_some(),
            "parallel" => keys.parallel.is_some(),
            "sequence" => keys.sequence.is_some(),
            _ => keys.repeat.is_some(),
        };
        if !self.exactly_one(*place, "a step", &KINDS.map(|(key, _)| (key, there(key)))) {
            return None;
        }
        let (kind, what) = KINDS.into_iter().find(|&(key, _)| there(key))?;
        self.misplaced(form, kind, what);
        let name = keys.fault.as_ref().map_or(kind, |name| name.value.as_str());
        let path = paths.next(parent, name);
        let at = keys.at.as_ref().and_then(|at| self.moment(at));
        let note = keys.note.as_ref().map(|note| self.string(note));
        let kind = self.kind(form, &path, paths)?;
        Some(Step { path, at, note, kind, place: *place })
    }

    fn kind(&mut self, form: &StepForm, path: &str, paths: &mut Paths) -> Option<StepKind> {
        let keys = &form.value;
        if let Some(name) = &keys.fault {
            return Some(StepKind::Fault(Box::new(self.fault(name, form))));
        }
        if let Some(time) = &keys.wait {
            return self.duration(time).map(StepKind::Wait);
        }
        if let Some(condition) = &keys.until {
            let within = self.duration_or(keys.within.as_ref(), UNTIL_WITHIN);
            return self.condition(condition).map(|condition| StepKind::Until { condition, within });
        }
        if let Some(conditions) = &keys.check {
            return Some(StepKind::Check(self.conditions(conditions)));
        }
        if let Some(names) = &keys.set {
            return Some(StepKind::Set(self.captures(names)));
        }
        if let Some(steps) = &keys.parallel {
            return Some(StepKind::Parallel(self.steps(steps, path, paths)));
        }
        if let Some(steps) = &keys.sequence {
            return Some(StepKind::Sequence(self.steps(steps, path, paths)));
        }
        if let Some(repeat) = &keys.repeat {
            return self.repeat(repeat, path, paths);
        }
        let deeds = (keys.run.as_ref(), keys.http.as_ref());
        let what = ("a step", form.place);
        self.deed(deeds, keys.r#in.as_ref(), keys.timeout.as_ref(), what, Names::Step).map(StepKind::Run)
    }

    /// Keys that belong to another kind of step.
    fn misplaced(&mut self, form: &StepForm, kind: &str, what: &'static str) {
        let keys = &form.value;
        let of_fault = [
            ("target", keys.target.as_ref().map(TextOrList::place)),
            ("syscall", keys.syscall.as_ref().map(TextOrList::place)),
            ("io", keys.io.as_ref().map(TextOrList::place)),
            ("net", keys.net.as_ref().map(TextOrList::place)),
            ("process", keys.process.as_ref().map(TextOrList::place)),
            ("cut", keys.cut.as_ref().map(|cut| cut.from.place())),
            ("for", keys.r#for.as_ref().map(|time| time.place)),
            ("background", keys.background.map(|_| form.place)),
            ("vary", keys.vary.keys().next().map(|name| name.place)),
            ("pulse", keys.pulse.as_ref().map(|pulse| pulse.active.place)),
        ];
        let of_actions = [
            ("in", keys.r#in.as_ref().map(|name| name.place)),
            ("timeout", keys.timeout.as_ref().map(|time| time.place)),
        ];
        let mut wrong = |keys: &[(&'static str, Option<_>)], belongs: &'static str| {
            for (key, place) in keys.iter().filter_map(|(key, place)| Some((*key, (*place)?))) {
                self.wrong_at(place, Cause::Misplaced { key, what, belongs });
            }
        };
        if kind != "fault" {
            wrong(&of_fault, "a step with `fault`");
        }
        if !matches!(kind, "run" | "http") {
            wrong(&of_actions, "a step with `run` or `http`");
        }
        if kind != "until" {
            wrong(&[("within", keys.within.as_ref().map(|time| time.place))], "a step with `until`");
        }
    }

    fn repeat(&mut self, form: &RepeatForm, path: &str, paths: &mut Paths) -> Option<StepKind> {
        if !(1..=100_000).contains(&form.times.value) {
            let hint = "write a number from 1 to 100000".to_owned();
            let cause = Cause::Value { text: form.times.value.to_string(), what: "number of times", hint };
            self.wrong_at(form.times.place, cause);
        }
        let steps = self.steps(&form.steps, path, paths);
        let every = match (&form.every, &form.cron) {
            (Some(_), Some(cron)) => {
                let found = vec!["every", "cron"];
                self.wrong(cron, Cause::SeveralOf { what: "a `repeat`", found });
                None
            }
            (Some(every), None) => self.duration(every).map(Every::Interval),
            (None, Some(cron)) => {
                let cron = self.expression(cron, "cron expression", Cron::from_str);
                cron.map(|cron| Every::Cron(Box::new(cron)))
            }
            (None, None) => None,
        };
        Some(StepKind::Repeat { times: u32::try_from(form.times.value).ok()?, every, steps })
    }

    /// Names that get values. They have them in what comes later.
    fn captures(&mut self, names: &BTreeMap<Text, SetForm>) -> Vec<Capture> {
        let mut captures = Vec::new();
        for (name, form) in names {
            self.given_name(name);
            let own = ["self", "address", "dir", "n", "run", "seed"].contains(&name.value.as_str());
            if own || self.parameters.is_declared(&name.value) {
                self.wrong(name, Cause::Taken(name.value.clone()));
            }
            let from = self.captured_from(name, form);
            let name = Located { value: name.value.clone(), place: name.place };
            captures.extend(from.map(|from| Capture { name, from }));
        }
        self.captured.extend(names.keys().map(|name| name.value.clone()));
        captures
    }

    fn captured_from(&mut self, name: &Text, form: &SetForm) -> Option<Captured> {
        let SetForm { command, probe, any_of, count, matches, json, r#in, timeout } = form;
        let keys = [("command", command.is_some()), ("probe", probe.is_some()), ("any-of", any_of.is_some())];
        if !self.exactly_one(name.place, "a name", &keys) {
            return None;
        }
        let of_command = [("matches", matches), ("json", json), ("in", r#in), ("timeout", timeout)];
        for (key, text) in of_command.into_iter().filter(|_| command.is_none()) {
            if let Some(text) = text {
                let belongs = "a name that gets its value from `command`";
                self.wrong(text, Cause::Misplaced { key, what: "this name", belongs });
            }
        }
        if let Some(command) = command {
            let path = json.as_ref().and_then(|path| self.json_path(path));
            let expect = Expect {
                matches: matches.as_ref().and_then(|text| self.regex(text)),
                json: path.map(|path| JsonExpect { path, equals: None }),
                ..Expect::default()
            };
            let inside = self.service_or_none(r#in.as_ref());
            let timeout = self.duration_or(timeout.as_ref(), SET_TIMEOUT);
            return Some(Captured::Command {
                command: self.command(command, Names::Step),
                inside,
                timeout,
                expect,
            });
        }
        if let Some(probe) = probe {
            return Some(Captured::Probe(Located { value: self.string(probe), place: probe.place }));
        }
        let any_of = any_of.as_ref()?;
        let number = count.map_or(1, |count| count.value);
        if number == 0 || number > any_of.len() as u64 {
            let hint = format!("there are {} to draw from", any_of.len());
            let cause = Cause::Value { text: number.to_string(), what: "number of them", hint };
            self.wrong_at(count.map_or(name.place, |count| count.place), cause);
        }
        let choices = any_of.iter().map(|text| self.template(text, Names::Step)).collect();
        Some(Captured::AnyOf { choices, count: usize::try_from(number).ok()? })
    }
}
