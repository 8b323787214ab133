//! Commands, requests and actions, as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::experiment::file::form::{NumberOrText, Text, TextOr, TextOrList, Whole};

/// One thing that is done once: one of `run` and `http`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Action")]
pub(in crate::experiment::file) struct ActionForm {
    /// A command that is to exit with 0: a text for `sh -c`, or a list of words
    pub(in crate::experiment::file) run: Option<TextOrList>,
    /// A request that is to be answered with a status below 400: its URL, or a table
    pub(in crate::experiment::file) http: Option<TextOr<HttpForm>>,
    /// The service in whose network namespace it is done
    pub(in crate::experiment::file) r#in: Option<Text>,
    /// It fails when it takes longer; 30s if not given
    pub(in crate::experiment::file) timeout: Option<Text>,
}

/// An HTTP request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Http")]
pub(in crate::experiment::file) struct HttpForm {
    /// `http://HOST[:PORT][/PATH]`
    pub(in crate::experiment::file) url: Text,
    /// GET if not given
    pub(in crate::experiment::file) method: Option<Text>,
    /// Headers beside those that every request has
    #[serde(default)]
    pub(in crate::experiment::file) headers: BTreeMap<Text, Text>,
    /// What is sent with it
    pub(in crate::experiment::file) body: Option<Text>,
}

/// What makes a sample good: all of this.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Expect")]
pub(in crate::experiment::file) struct ExpectForm {
    /// Statuses of HTTP: one, or a range such as 200-299; 100-399 if not given
    pub(in crate::experiment::file) status: Option<NumberOrText>,
    /// The exit code of a command; 0 if not given
    pub(in crate::experiment::file) exit: Option<Whole>,
    /// A regular expression that the body or the output must match
    pub(in crate::experiment::file) matches: Option<Text>,
    /// A JSONPath (RFC 9535) that the body or the output must have
    pub(in crate::experiment::file) json: Option<Text>,
    /// What is there
    pub(in crate::experiment::file) equals: Option<serde_json::Value>,
    /// It took no longer
    pub(in crate::experiment::file) within: Option<Text>,
}
