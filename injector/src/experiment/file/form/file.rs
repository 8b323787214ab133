//! The whole file, as it is written.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::experiment::file::form::{
    ActionForm, Flag, LabForm, LoadForm, Placed, ProbeForm, StepForm, TargetForm, Text, Whole,
};

/// The versions of the format that are known.
pub(in crate::experiment::file) const VERSION: u64 = 1;

/// An experiment: what must hold, and what is done to the system meanwhile.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "An experiment of injector")]
pub(in crate::experiment::file) struct FileForm {
    /// Version of the format: 1
    #[serde(rename = "injector")]
    pub(in crate::experiment::file) _version: Version,
    /// What the experiment is called
    pub(in crate::experiment::file) title: Text,
    /// What it is about
    pub(in crate::experiment::file) description: Option<Text>,
    /// Words to find it by
    #[serde(default)]
    pub(in crate::experiment::file) tags: Vec<Text>,
    /// Who does what: role and person; `commander` is who answers `--step`
    #[serde(default)]
    pub(in crate::experiment::file) roles: BTreeMap<Text, Text>,
    /// Values that texts of the file have in place of `${NAME}`: a value, or a table
    #[serde(default)]
    pub(in crate::experiment::file) parameters: BTreeMap<Text, ParameterForm>,
    /// Seed of everything that is drawn; drawn itself and printed if there is none
    pub(in crate::experiment::file) seed: Option<Whole>,
    /// How long the whole run may take; 15m if not given
    pub(in crate::experiment::file) deadline: Option<Text>,
    /// What the run itself starts; without it everything runs already
    pub(in crate::experiment::file) lab: Option<LabForm>,
    /// What runs already, by name; services of the lab are targets by their own names
    #[serde(default)]
    pub(in crate::experiment::file) targets: BTreeMap<Text, TargetForm>,
    /// What is asked of the system all the while, at a fixed rate, by name
    #[serde(default)]
    pub(in crate::experiment::file) load: BTreeMap<Text, LoadForm>,
    /// What is looked at all the while, by name
    #[serde(default)]
    pub(in crate::experiment::file) probes: BTreeMap<Text, ProbeForm>,
    /// What holds when nothing is broken
    pub(in crate::experiment::file) steady: Option<SteadyForm>,
    /// What is believed of the system, and judged
    pub(in crate::experiment::file) hypothesis: Option<HypothesisForm>,
    /// What is done, one step after the other
    #[serde(default)]
    pub(in crate::experiment::file) method: Vec<StepForm>,
    /// Conditions any of which ends the run
    #[serde(default)]
    pub(in crate::experiment::file) abort: Vec<Text>,
    /// What is done when the faults are off, always once the method has begun
    #[serde(default)]
    pub(in crate::experiment::file) rollback: Vec<Placed<ActionForm>>,
    /// Where reports are written beside the run's folder
    pub(in crate::experiment::file) report: Option<ReportForm>,
}

/// The version, which is looked at before the keys that another one may have.
#[derive(Debug)]
pub(in crate::experiment::file) struct Version;

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Whole::deserialize(deserializer)?.value {
            VERSION => Ok(Self),
            other => Err(D::Error::custom(format!(
                "version {other} of the format is not known; this injector reads version {VERSION}"
            ))),
        }
    }
}

impl JsonSchema for Version {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "const": VERSION })
    }
}

/// A parameter: its value, or a table.
#[derive(Debug)]
pub(in crate::experiment::file) struct ParameterForm(pub(in crate::experiment::file) ParameterTable);

/// What there is to say of a parameter.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Parameter")]
pub(in crate::experiment::file) struct ParameterTable {
    /// Its value unless another one is given; without it one must be
    pub(in crate::experiment::file) default: Option<Scalar>,
    /// What it means
    pub(in crate::experiment::file) description: Option<Text>,
    /// Neither the journal nor a report has it
    #[serde(default)]
    pub(in crate::experiment::file) secret: Flag,
}

/// A text, a number, `true` or `false`.
#[derive(Clone, Debug)]
pub(in crate::experiment::file) struct Scalar(pub(in crate::experiment::file) String);

struct Values<const TABLE: bool>;

impl<'de, const TABLE: bool> Visitor<'de> for Values<TABLE> {
    type Value = ParameterTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if TABLE { "a value or a table" } else { "a value" })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ParameterTable, E> {
        let default = Some(Scalar(text.to_owned()));
        Ok(ParameterTable { default, ..ParameterTable::default() })
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<ParameterTable, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<ParameterTable, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<ParameterTable, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<ParameterTable, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<ParameterTable, A::Error> {
        if TABLE {
            return ParameterTable::deserialize(MapAccessDeserializer::new(table));
        }
        Err(A::Error::invalid_type(serde::de::Unexpected::Map, &self))
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(Values::<false>)?;
        value.default.ok_or_else(|| D::Error::custom("there is no value"))
    }
}

impl<'de> Deserialize<'de> for ParameterForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values::<true>).map(Self)
    }
}

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

impl JsonSchema for ParameterForm {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ParameterForm".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<ParameterTable>();
        json_schema!({ "anyOf": [{ "type": ["string", "number", "boolean"] }, table] })
    }
}

/// What holds when nothing is broken.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Steady")]
pub(in crate::experiment::file) struct SteadyForm {
    /// It must hold for so long at a stretch; 10s if not given
    pub(in crate::experiment::file) r#for: Option<Text>,
    /// At the latest after this time, or nothing is broken at all; 60s if not given
    pub(in crate::experiment::file) within: Option<Text>,
    /// Conditions, all of which must hold
    pub(in crate::experiment::file) hold: Vec<Text>,
}

/// What is judged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Hypothesis")]
pub(in crate::experiment::file) struct HypothesisForm {
    /// In your own words; the report's first sentence
    pub(in crate::experiment::file) text: Text,
    /// Conditions from the first step to the end of the last fault; those of `steady` if not given
    pub(in crate::experiment::file) during: Option<Vec<Text>>,
    /// How it comes back when the faults are off
    pub(in crate::experiment::file) recovery: Option<RecoveryForm>,
    /// Conditions when it has come back
    #[serde(default)]
    pub(in crate::experiment::file) after: Vec<Text>,
    /// Judge the bound of this confidence rather than the estimate, such as 95%
    pub(in crate::experiment::file) confidence: Option<Text>,
}

/// How the system comes back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Recovery")]
pub(in crate::experiment::file) struct RecoveryForm {
    /// The longest that it may take
    pub(in crate::experiment::file) within: Text,
    /// It is back when the conditions have held for so long; 5s if not given
    pub(in crate::experiment::file) settle: Option<Text>,
    /// Conditions; those of `steady` if not given
    pub(in crate::experiment::file) hold: Option<Vec<Text>>,
}

/// Where reports are written, from the folder in which the run began.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Report")]
pub(in crate::experiment::file) struct ReportForm {
    /// A page for people
    pub(in crate::experiment::file) html: Option<Text>,
    /// All data
    pub(in crate::experiment::file) json: Option<Text>,
    /// For a CI system
    pub(in crate::experiment::file) junit: Option<Text>,
}
