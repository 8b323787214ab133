//! One look: what it gets, whether that is as expected, and its number.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{fs::File, io::AsyncReadExt};

use crate::{
    clock,
    experiment::{
        answer::{Answer, Ending, LONGEST, Rates, judge, number},
        command,
        failure::Failure,
        http::{Client, Request},
        model::{Metric, Probe, ProbeKind, Template, ValueOf},
        namespaces::{Place, host_and_port},
        probe::{Surroundings, cgroup, dns, metrics, prometheus},
        source::Turn,
        variables::Variables,
    },
};

/// Makes the looks of one probe.
pub(super) struct Looker {
    probe: Probe,
    place: Place,
    client: Client,
    variables: Variables,
    surroundings: Arc<dyn Surroundings>,
    rates: Mutex<Rates>,
}

impl Looker {
    pub(super) fn new(
        probe: Probe,
        place: Place,
        variables: Variables,
        surroundings: Arc<dyn Surroundings>,
    ) -> Self {
        // Each look asks whether one can get there now, so none uses the connection of another.
        let client = Client::new(place.clone(), 0);
        Self { probe, place, client, variables, surroundings, rates: Mutex::default() }
    }

    /// Makes one.
    pub(super) async fn look(&self, turn: Turn) -> Result<Option<f64>, Failure> {
        let answer = self.ask().await?;
        let read = clock::now();
        judge(&self.probe.expect, &answer, turn.latency())?;
        let found = number(self.probe.value.as_ref(), &answer)?;
        Ok(match (found, &self.probe.value) {
            (Some(found), Some(ValueOf::Rate)) => {
                let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
                rates.next(read, found)
            }
            (found, _) => found,
        })
    }

    fn fill(&self, text: &Template) -> Result<String, Failure> {
        Ok(text.fill(|name| self.variables.value(name))?)
    }

    async fn ask(&self) -> Result<Answer, Failure> {
        let value = |name: &str| self.variables.value(name);
        match &self.probe.kind {
            ProbeKind::Http(request) => self.client.ask(Request::fill(request, value)?).await,
            ProbeKind::Tcp(at) => {
                let at = self.fill(at)?;
                let (host, port) = host_and_port(&at)?;
                self.place.connect(host, port).await?;
                Ok(Answer::default())
            }
            ProbeKind::Dns { name, server } => {
                let server = server.as_ref().map(|server| self.fill(server)).transpose()?;
                dns::ask(&self.place, &self.fill(name)?, server.as_deref()).await
            }
            ProbeKind::Command(line) => command::run(&self.place, &command::words(line, value)?).await,
            ProbeKind::Prometheus { url, query } => self.query(&self.fill(url)?, &self.fill(query)?).await,
            ProbeKind::Metrics(metric) => self.metric(metric).await,
            ProbeKind::File(path) => {
                let path = self.place.namespaces().folder.join(self.fill(path)?);
                Ok(Answer::plain(content(&path).await?))
            }
            ProbeKind::Counter { fault, counter } => {
                let counted = self.surroundings.counter(fault, *counter).ok_or(Failure::Absent("fault"))?;
                #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 faults")]
                Ok(Answer::of_number(counted as f64))
            }
            ProbeKind::Cgroup { of, file, key } => {
                let folder = self.surroundings.cgroup_of(of).ok_or(Failure::Absent("cgroup"))?;
                cgroup::answer(&content(&folder.join(file)).await?, key.as_deref())
            }
            // They have ways of their own.
            ProbeKind::Log { .. } | ProbeKind::Lost { .. } => Err(Failure::Absent("schedule")),
        }
    }

    async fn query(&self, url: &str, query: &str) -> Result<Answer, Failure> {
        let mut answer = self.client.ask(Request::get(&prometheus::url(url, query))?).await?;
        if self.natural_of(&answer) {
            answer.natural = Some(prometheus::number(&answer.text)?);
        }
        Ok(answer)
    }

    async fn metric(&self, metric: &Metric) -> Result<Answer, Failure> {
        let mut answer = self.client.ask(Request::get(&self.fill(&metric.url)?)?).await?;
        if self.natural_of(&answer) {
            answer.natural = Some(metrics::sum(&answer.text, &metric.name, &metric.labels)?);
        }
        Ok(answer)
    }

    /// Whether the answer's own number is wanted, and can be there.
    fn natural_of(&self, answer: &Answer) -> bool {
        let own = !matches!(self.probe.value, Some(ValueOf::Json(_) | ValueOf::Regex(_)));
        own && matches!(answer.ending, Ending::Http(200..=299))
    }
}

async fn content(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let file = File::open(path).await?;
    file.take(LONGEST as u64 + 1).read_to_end(&mut text).await?;
    if text.len() > LONGEST { Err(Failure::TooLong("file")) } else { Ok(text) }
}
