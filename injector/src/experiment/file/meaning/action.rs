//! Commands, requests, actions, and what is expected of their answers.

use std::time::Duration;

use serde_json_path::JsonPath;

use crate::experiment::{
    file::{
        cause::Cause,
        form::{ActionForm, ExpectForm, HttpForm, Placed, Text, TextOr, TextOrList},
        meaning::reader::{Names, Reader},
    },
    model::{Action, CommandLine, Deed, Expect, HttpRequest, JsonExpect, Located, Place},
};

/// How long an action may take.
const TIMEOUT: Duration = Duration::from_secs(30);

impl Reader<'_> {
    /// A command.
    pub(super) fn command(&mut self, form: &TextOrList, names: Names) -> CommandLine {
        if form.all().iter().all(|word| word.value.trim().is_empty()) {
            self.wrong_at(form.place(), Cause::Empty("command"));
        }
        match form {
            TextOrList::Text(text) => CommandLine::Shell(self.template(text, names)),
            TextOrList::List(words, _) => {
                CommandLine::Words(words.iter().map(|word| self.template(word, names)).collect())
            }
        }
    }

    /// A request.
    pub(super) fn request(&mut self, form: &TextOr<HttpForm>, names: Names) -> HttpRequest {
        let (url, table) = match form {
            TextOr::Text(url) => (url, None),
            TextOr::Table(table) => (&table.url, Some(table)),
        };
        let headers = table.into_iter().flat_map(|table| &table.headers);
        let headers =
            headers.map(|(name, value)| (name.value.clone(), self.template(value, names))).collect();
        let method = table.and_then(|table| table.method.as_ref());
        HttpRequest {
            url: self.url(url, names),
            method: method.map_or_else(|| "GET".to_owned(), |method| self.method(method)),
            headers,
            body: table.and_then(|table| table.body.as_ref()).map(|body| self.template(body, names)),
        }
    }

    /// A URL whose beginning can be told before its names have values.
    pub(super) fn url(&mut self, text: &Text, names: Names) -> crate::experiment::model::Template {
        if let Ok(filled) = self.filled(text, names, |_| "x".to_owned())
            && !filled
                .text
                .strip_prefix("http://")
                .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        {
            let hint = if filled.text.starts_with("https:") {
                "TLS is not spoken; a command such as `curl` can be a probe as well"
            } else {
                "write http://HOST[:PORT][/PATH]"
            };
            let cause = Cause::Value {
                text: filled.text.clone(),
                what: "URL that can be asked",
                hint: hint.to_owned(),
            };
            self.wrong_in(text, &filled, 0..filled.text.len(), cause);
        }
        self.template(text, names)
    }

    fn method(&mut self, text: &Text) -> String {
        let method = self.string(text);
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            let hint = "write it in capitals: GET, POST, PUT, DELETE".to_owned();
            self.wrong(text, Cause::Value { text: method.clone(), what: "HTTP method", hint });
        }
        method
    }

    /// An action.
    pub(super) fn action(&mut self, form: &Placed<ActionForm>, names: Names) -> Option<Action> {
        let ActionForm { run, http, r#in, timeout } = &form.value;
        self.deed(
            (run.as_ref(), http.as_ref()),
            r#in.as_ref(),
            timeout.as_ref(),
            ("an action", form.place),
            names,
        )
    }

    /// The same from keys that may also be those of a step.
    pub(super) fn deed(
        &mut self,
        (run, http): (Option<&TextOrList>, Option<&TextOr<HttpForm>>),
        inside: Option<&Text>,
        timeout: Option<&Text>,
        (what, place): (&'static str, Place),
        names: Names,
    ) -> Option<Action> {
        if !self.exactly_one(place, what, &[("run", run.is_some()), ("http", http.is_some())]) {
            return None;
        }
        let deed = match (run, http) {
            (Some(run), _) => Located { value: Deed::Run(self.command(run, names)), place: run.place() },
            (_, Some(http)) => Located { value: Deed::Http(self.request(http, names)), place },
            _ => return None,
        };
        Some(Action {
            deed,
            inside: self.service_or_none(inside),
            timeout: self.duration_or(timeout, TIMEOUT),
        })
    }

    /// What makes a sample good.
    pub(super) fn expectation(&mut self, form: Option<&ExpectForm>) -> Expect {
        let Some(form) = form else { return Expect::default() };
        let standard = Expect::default();
        let path = form.json.as_ref().and_then(|path| self.json_path(path));
        if let (None, Some(_)) = (&form.json, &form.equals) {
            let place = form.matches.as_ref().or(form.within.as_ref()).map(|text| text.place);
            let hint = "add `json: $.…`, the path of what is compared".to_owned();
            let cause = Cause::Senseless { message: "`equals` has nothing to compare with".to_owned(), hint };
            self.wrong_at(place.unwrap_or(self.here), cause);
        }
        let exit = form.exit.and_then(|exit| {
            let code = i32::try_from(exit.value).ok().filter(|code| *code <= 255);
            if code.is_none() {
                let hint = "exit codes are from 0 to 255".to_owned();
                let cause = Cause::Value { text: exit.value.to_string(), what: "exit code", hint };
                self.wrong_at(exit.place, cause);
            }
            code
        });
        Expect {
            status: form.status.as_ref().and_then(|status| self.status(&status.0)).unwrap_or(standard.status),
            exit: exit.unwrap_or(standard.exit),
            matches: form.matches.as_ref().and_then(|text| self.regex(text)),
            json: path.map(|path| JsonExpect { path, equals: form.equals.clone() }),
            within: form.within.as_ref().and_then(|time| self.duration(time)),
        }
    }

    /// A path into a JSON text.
    pub(super) fn json_path(&mut self, text: &Text) -> Option<JsonPath> {
        self.expression(text, "JSONPath", JsonPath::parse)
    }
}
