//! Parameters: what the file says of them, and the values that they are given by `--set` and the environment.

use std::collections::{BTreeMap, BTreeSet};

use crate::experiment::{
    file::form::{ParameterForm, Text},
    model::Parameter,
};

/// What variables of the environment that give a parameter begin with.
const PREFIX: &str = "INJECTOR_PARAM_";

/// Values that were given from outside of the file.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// By `--set NAME=VALUE`.
    pub set: BTreeMap<String, String>,
    /// By `$INJECTOR_PARAM_NAME`: by the whole name of the variable.
    pub environment: BTreeMap<String, String>,
}

impl Given {
    /// What `--set` says, and the variables of this process.
    pub fn new(set: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
            Some((name, value.into_string().ok()?))
        });
        Self { set: set.into_iter().collect(), environment: variables.collect() }
    }

    fn value(&self, name: &str) -> Option<&str> {
        let variable = || PREFIX.to_owned() + &name.to_uppercase().replace('-', "_");
        self.set.get(name).or_else(|| self.environment.get(&variable())).map(String::as_str)
    }
}

/// The parameters of a file, and which of them its texts have asked for.
#[derive(Debug)]
pub(super) struct Parameters<'a> {
    given: &'a Given,
    declared: BTreeMap<&'a str, &'a ParameterForm>,
    /// Names with a `:-` that the file does not declare.
    loose: BTreeSet<String>,
    /// Declared ones that are used somewhere, each time with a `:-`.
    spared: BTreeSet<String>,
    /// Those that are used without one.
    needed: BTreeSet<String>,
}

impl<'a> Parameters<'a> {
    pub(super) fn new(forms: &'a BTreeMap<Text, ParameterForm>, given: &'a Given) -> Self {
        let declared = forms.iter().map(|(name, form)| (name.value.as_str(), form)).collect();
        let (loose, spared, needed) = Default::default();
        Self { given, declared, loose, spared, needed }
    }

    pub(super) fn is_declared(&self, name: &str) -> bool {
        self.declared.contains_key(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.declared.keys().copied()
    }

    /// The value of a name, which is asked for with or without a `:-`.
    pub(super) fn value(&mut self, name: &str, otherwise: Option<&str>) -> Option<String> {
        let value = self.known(name);
        if !self.is_declared(name) {
            if otherwise.is_some() {
                self.loose.insert(name.to_owned());
            }
        } else if value.is_none() {
            let place = if otherwise.is_some() { &mut self.spared } else { &mut self.needed };
            place.insert(name.to_owned());
        }
        value.or_else(|| otherwise.map(str::to_owned))
    }

    fn known(&self, name: &str) -> Option<String> {
        let default = self.declared.get(name).and_then(|form| form.0.default.as_ref());
        self.given.value(name).map(str::to_owned).or_else(|| default.map(|scalar| scalar.0.clone()))
    }

    /// Declared ones that nobody has given and that have no value.
    pub(super) fn missing(&self) -> Vec<String> {
        let missing = self.declared.keys().filter(|name| {
            let spared = self.spared.contains(**name) && !self.needed.contains(**name);
            !spared && self.known(name).is_none()
        });
        missing.map(|name| (*name).to_owned()).collect()
    }

    /// Names that `--set` gives and nobody knows.
    pub(super) fn unknown(&self) -> Vec<String> {
        let known = |name: &str| self.is_declared(name) || self.loose.contains(name);
        self.given.set.keys().filter(|name| !known(name)).cloned().collect()
    }

    /// Values that are not to be printed.
    pub(super) fn secrets(&self) -> Vec<String> {
        let secret = self.declared.iter().filter(|(_, form)| form.0.secret.0);
        secret.filter_map(|(name, _)| self.known(name)).collect()
    }

    /// For the experiment.
    pub(super) fn finish(&self) -> BTreeMap<String, Parameter> {
        let declared = self.declared.iter().filter_map(|(name, form)| {
            let description = form.0.description.as_ref().map(|text| text.value.clone());
            let parameter = Parameter { value: self.known(name)?, secret: form.0.secret.0, description };
            Some(((*name).to_owned(), parameter))
        });
        let loose = self.loose.iter().filter_map(|name| {
            let value = self.known(name)?;
            Some((name.clone(), Parameter { value, secret: false, description: None }))
        });
        declared.chain(loose).collect()
    }
}
