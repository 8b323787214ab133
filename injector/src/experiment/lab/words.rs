//! A service's words with their names filled in: command, environment, files, and what is asked of it.

use std::{collections::BTreeMap, path::PathBuf};

use crate::experiment::{
    lab::error::LabError,
    model::{CommandLine, HttpRequest, Template},
    variables::Variables,
};

/// Whose words they are, and what names mean.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a> {
    /// None outside of all services.
    pub(super) service: Option<&'a str>,
    pub(super) variables: &'a Variables,
}

/// A request, as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) url: String,
    pub(super) method: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Words<'_> {
    /// A text.
    pub(super) fn text(&self, template: &Template) -> Result<String, LabError> {
        let value = |name: &str| match self.service {
            Some(service) => self.variables.value_in(service, name),
            None => self.variables.value(name),
        };
        template.fill(value).map_err(|missing| LabError::Missing {
            whose: self.service.map_or("lab.prepare".into(), |service| format!("service `{service}`")),
            missing,
        })
    }

    /// A command: the program and its arguments.
    pub(super) fn command(&self, line: &CommandLine) -> Result<Vec<String>, LabError> {
        match line {
            CommandLine::Shell(text) => Ok(vec!["sh".into(), "-c".into(), self.text(text)?]),
            CommandLine::Words(words) => words.iter().map(|word| self.text(word)).collect(),
        }
    }

    /// Texts by name.
    pub(super) fn texts(
        &self,
        all: &BTreeMap<String, Template>,
    ) -> Result<BTreeMap<String, String>, LabError> {
        all.iter().map(|(name, text)| Ok((name.clone(), self.text(text)?))).collect()
    }

    /// Files by path.
    pub(super) fn files(
        &self,
        all: &BTreeMap<PathBuf, Template>,
    ) -> Result<Vec<(PathBuf, String)>, LabError> {
        all.iter().map(|(path, text)| Ok((path.clone(), self.text(text)?))).collect()
    }

    /// A request.
    pub(super) fn request(&self, request: &HttpRequest) -> Result<Request, LabError> {
        Ok(Request {
            url: self.text(&request.url)?,
            method: request.method.clone(),
            headers: self.texts(&request.headers)?,
            body: request.body.as_ref().map(|body| self.text(body)).transpose()?.unwrap_or_default(),
        })
    }
}
