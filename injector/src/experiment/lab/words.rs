//! A service's words with their names filled in: command, environment, files, and what is asked of it.

use std::{collections::BTreeMap, path::PathBuf};

use crate::experiment::{
    command,
    failure::Failure,
    http::Request,
    lab::error::LabError,
    model::{CommandLine, HttpRequest, Template},
    variables::Variables,
};

/// Whose words they are, and what names mean.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a> {
    pub(super) service: &'a str,
    pub(super) variables: &'a Variables,
}

impl Words<'_> {
    /// A text.
    pub(super) fn text(&self, template: &Template) -> Result<String, LabError> {
        template.fill(|name| self.value(name)).map_err(|missing| self.wrong(missing.into()))
    }

    /// A command: the program and its arguments.
    pub(super) fn command(&self, line: &CommandLine) -> Result<Vec<String>, LabError> {
        command::words(line, |name| self.value(name)).map_err(|missing| self.wrong(missing.into()))
    }

    /// A request.
    pub(super) fn request(&self, request: &HttpRequest) -> Result<Request, LabError> {
        Request::fill(request, |name| self.value(name)).map_err(|failure| self.wrong(failure))
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

    /// Something in them is not what it should be.
    pub(super) fn wrong(&self, failure: Failure) -> LabError {
        LabError::Words { service: self.service.into(), failure }
    }

    fn value(&self, name: &str) -> Option<String> {
        self.variables.value_in(self.service, name)
    }
}
