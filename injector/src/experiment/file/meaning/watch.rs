//! Loads and probes.

use std::time::Duration;

use crate::{
    engine::Counter,
    experiment::{
        file::{
            cause::Cause,
            form::{FiguresForm, LoadForm, ProbeForm, Text, TextOr},
            meaning::{
                plain::by_line,
                reader::{Names, Reader, refusal},
            },
        },
        model::{Figures, Load, LoadKind, Located, Metric, Probe, ProbeKind, ValueOf},
    },
};

const RATE: f64 = 10.0;
const LOAD_TIMEOUT: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 100;
const EVERY: Duration = Duration::from_secs(1);
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
const LOST_TIMEOUT: Duration = Duration::from_secs(30);

const COUNTERS: [(&str, Counter); 3] =
    [("matched", Counter::Matched), ("fired", Counter::Fired), ("suppressed", Counter::Suppressed)];

impl Reader<'_> {
    pub(super) fn load(&mut self, name: &Text, form: &LoadForm) -> Option<Load> {
        let LoadForm { http, each, command, figures, rate, timeout, at_once, r#in, expect, slo } = form;
        self.here = name.place;
        let rate = rate.as_ref().and_then(|rate| self.rate(rate)).unwrap_or(RATE);
        let timeout = self.duration_or(timeout.as_ref(), LOAD_TIMEOUT);
        let at_once = at_once.map_or(AT_ONCE, |number| {
            if !(1..=10_000).contains(&number.value) {
                let hint = "write a number from 1 to 10000".to_owned();
                let cause =
                    Cause::Value { text: number.value.to_string(), what: "number of operations", hint };
                self.wrong_at(number.place, cause);
            }
            usize::try_from(number.value).unwrap_or(AT_ONCE)
        });
        let inside = self.service_or_none(r#in.as_ref());
        let expect = self.expectation(expect.as_ref());
        let slo = slo.as_ref().and_then(|slo| self.share(slo));
        let keys = [("http", http.is_some()), ("each", each.is_some()), ("command", command.is_some())];
        if !self.exactly_one(name.place, "a load", &keys) {
            return None;
        }
        if command.is_none() && figures.is_some() {
            let belongs = "a load with `command`, whose lines it explains";
            self.wrong_at(name.place, Cause::Misplaced { key: "figures", what: "this load", belongs });
        }
        let kind = match (http, each, command) {
            (Some(http), ..) => LoadKind::Http(self.request(http, Names::Operation)),
            (_, Some(each), _) => LoadKind::Each(self.command(each, Names::Operation)),
            (.., Some(command)) => {
                let command = self.command(command, Names::Lab);
                LoadKind::Command { command, figures: self.figures(name, figures.as_ref())? }
            }
            _ => return None,
        };
        Some(Load { kind, rate, timeout, at_once, inside, expect, slo })
    }

    fn figures(&mut self, name: &Text, form: Option<&TextOr<FiguresForm>>) -> Option<Figures> {
        match form {
            None => {
                self.wrong_at(name.place, Cause::MissingKey("figures"));
                None
            }
            Some(TextOr::Text(word)) => {
                let vegeta = self.word(word, "form of figures", &[("vegeta", true), ("k6", false)])?;
                Some(if vegeta { Figures::Vegeta } else { Figures::K6 })
            }
            Some(TextOr::Table(FiguresForm { lines })) => {
                let lines_of = self.regex(lines)?;
                if !lines_of.capture_names().flatten().any(|name| name == "latency") {
                    let hint =
                        "name a group: (?<latency>…); groups named time and ok are used as well".to_owned();
                    let message = "the regular expression has no group `latency`".to_owned();
                    self.wrong(lines, Cause::Senseless { message, hint });
                }
                Some(Figures::Lines(lines_of))
            }
        }
    }

    pub(super) fn probe(&mut self, name: &Text, form: &ProbeForm) -> Option<Probe> {
        self.here = name.place;
        let every = self.duration_or(form.every.as_ref(), EVERY);
        let timeout = if form.lost.is_some() { LOST_TIMEOUT } else { PROBE_TIMEOUT };
        let timeout = self.duration_or(form.timeout.as_ref(), timeout);
        let inside = self.service_or_none(form.r#in.as_ref());
        let expect = self.expectation(form.expect.as_ref());
        let value = form.value.as_ref().and_then(|value| self.value_of_probe(value));
        let unit = form.unit.as_ref().map(|unit| self.string(unit));
        let keys = [
            ("http", form.http.is_some()),
            ("tcp", form.tcp.is_some()),
            ("dns", form.dns.is_some()),
            ("command", form.command.is_some()),
            ("prometheus", form.prometheus.is_some()),
            ("metrics", form.metrics.is_some()),
            ("log", form.log.is_some()),
            ("file", form.file.is_some()),
            ("counter", form.counter.is_some()),
            ("cgroup", form.cgroup.is_some()),
            ("lost", form.lost.is_some()),
        ];
        if !self.exactly_one(name.place, "a probe", &keys) {
            return None;
        }
        let kind = self.probe_kind(form)?;
        Some(Probe { kind, every, timeout, inside, expect, value, unit })
    }

    fn probe_kind(&mut self, form: &ProbeForm) -> Option<ProbeKind> {
        let names = Names::Lab;
        let located = |this: &mut Self, text: &Text| Located { value: this.string(text), place: text.place };
        if let Some(http) = &form.http {
            return Some(ProbeKind::Http(self.request(http, names)));
        }
        if let Some(address) = &form.tcp {
            return Some(ProbeKind::Tcp(self.address(address, names)));
        }
        if let Some(dns) = &form.dns {
            let (name, server) = match dns {
                TextOr::Text(name) => (name, None),
                TextOr::Table(table) => (&table.name, table.server.as_ref()),
            };
            let server = server.map(|server| self.template(server, names));
            return Some(ProbeKind::Dns { name: self.template(name, names), server });
        }
        if let Some(command) = &form.command {
            return Some(ProbeKind::Command(self.command(command, names)));
        }
        if let Some(form) = &form.prometheus {
            let query = self.template(&form.query, names);
            return Some(ProbeKind::Prometheus { url: self.url(&form.url, names), query });
        }
        if let Some(form) = &form.metrics {
            let labels = form.labels.iter();
            let labels = labels.map(|(name, value)| (name.value.clone(), self.string(value))).collect();
            let (url, name) = (self.url(&form.url, names), self.string(&form.name));
            return Some(ProbeKind::Metrics(Metric { url, name, labels }));
        }
        if let Some(form) = &form.log {
            let of = located(self, &form.of);
            return Some(ProbeKind::Log { of, matches: self.regex(&form.matches)? });
        }
        if let Some(file) = &form.file {
            return Some(ProbeKind::File(self.template(file, names)));
        }
        if let Some(counter) = &form.counter {
            return self.counter(counter);
        }
        if let Some(form) = &form.cgroup {
            let (of, file) = (located(self, &form.of), self.string(&form.file).into());
            return Some(ProbeKind::Cgroup { of, file, key: form.key.as_ref().map(|key| self.string(key)) });
        }
        let form = form.lost.as_ref()?;
        let load = located(self, &form.load);
        Some(ProbeKind::Lost { load, read: self.command(&form.read, Names::End) })
    }

    /// `FAULT.fired`.
    fn counter(&mut self, text: &Text) -> Option<ProbeKind> {
        let (fault, counter) = self.parsed(text, |text| {
            let Some((fault, counter)) = text.rsplit_once('.') else {
                let hint = "write FAULT.fired, FAULT.matched or FAULT.suppressed".to_owned();
                let cause = Cause::Value { text: text.to_owned(), what: "counter of a fault", hint };
                return Err(refusal(None, cause));
            };
            let found = COUNTERS.iter().find(|(name, _)| *name == counter);
            let found = found.ok_or_else(|| {
                let names = COUNTERS.iter().map(|(name, _)| *name);
                let near = crate::spec::nearest::nearest(counter, names);
                let hint = "counters are matched, fired and suppressed".to_owned();
                let cause = Cause::Word { word: counter.to_owned(), what: "counter", near, hint };
                refusal(Some(fault.len() + 1..text.len()), cause)
            })?;
            Ok((fault.to_owned(), found.1))
        })?;
        Some(ProbeKind::Counter { fault: Located { value: fault, place: text.place }, counter })
    }

    /// `number`, `rate`, `json PATH` or `regex RE`.
    fn value_of_probe(&mut self, text: &Text) -> Option<ValueOf> {
        let filled = self.plain(text).ok()?;
        let (word, rest) = filled.text.split_once(' ').unwrap_or((&filled.text, ""));
        let expression = |message: String, what| Cause::Expression { what, message };
        let cause = match (word, rest.trim()) {
            ("number", "") => return Some(ValueOf::Number),
            ("rate", "") => return Some(ValueOf::Rate),
            ("json", path) => match serde_json_path::JsonPath::parse(path) {
                Ok(path) => return Some(ValueOf::Json(path)),
                Err(error) => expression(error.to_string(), "JSONPath"),
            },
            ("regex", re) if !re.is_empty() => match by_line(re) {
                Ok(re) if re.captures_len() > 1 => return Some(ValueOf::Regex(re)),
                Ok(_) => Cause::Senseless {
                    message: "the regular expression has no group that could be the value".to_owned(),
                    hint: "put what is the number in brackets: 'regex used ([0-9]+)'".to_owned(),
                },
                Err(error) => {
                    let message = error.to_string();
                    let message = message.lines().last().unwrap_or_default().trim_start_matches("error: ");
                    expression(message.to_owned(), "regular expression")
                }
            },
            _ => Cause::Word {
                word: filled.text.clone(),
                what: "way to get a number",
                near: crate::spec::nearest::nearest(word, ["number", "rate", "json", "regex"]),
                hint: "write number, rate, json PATH or regex RE".to_owned(),
            },
        };
        self.wrong_in(text, &filled, 0..filled.text.len(), cause);
        None
    }
}
