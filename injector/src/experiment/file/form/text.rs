//! Scalars of the file with their places. A text is a text: a number or a `true` where one should be is an error that
//! says to put it in quotes, since YAML would otherwise guess.

use std::{borrow::Cow, cmp::Ordering, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use serde_saphyr::{Location, Spanned};

use crate::experiment::model::Place;

/// A text and where it begins. Two texts are the same if their words are.
#[derive(Clone, Debug)]
pub(in crate::experiment::file) struct Text {
    pub(in crate::experiment::file) value: String,
    pub(in crate::experiment::file) place: Place,
}

/// A whole number that is not negative.
#[derive(Clone, Copy, Debug)]
pub(in crate::experiment::file) struct Whole {
    pub(in crate::experiment::file) value: u64,
    pub(in crate::experiment::file) place: Place,
}

/// `true` or `false`.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::experiment::file) struct Flag(pub(in crate::experiment::file) bool);

/// Anything with its place.
#[derive(Clone, Debug)]
pub(in crate::experiment::file) struct Placed<T> {
    pub(in crate::experiment::file) value: T,
    pub(in crate::experiment::file) place: Place,
}

/// Where a value is written, which for an alias is where its anchor is.
pub(in crate::experiment::file) fn place(location: Location) -> Place {
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Place { line: number(location.line()), column: number(location.column()) }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.cmp(&other.value)
    }
}

/// A text and nothing else.
struct Strict(String);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;

        impl Visitor<'_> for Words {
            type Value = Strict;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Strict, E> {
                Ok(Strict(text.to_owned()))
            }
        }

        deserializer.deserialize_any(Words)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Spanned::<Strict>::deserialize(deserializer)?;
        Ok(Self { value: text.value.0, place: place(text.defined) })
    }
}

/// A number from 0, such as the schema takes it: 5.0 is one.
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;

        impl Visitor<'_> for Digits {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Count, E> {
                Ok(Count(number))
            }

            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and in range")]
            fn visit_f64<E: Error>(self, number: f64) -> Result<Count, E> {
                // 2^53: above that a float is no exact number.
                if number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number) {
                    return Ok(Count(number as u64));
                }
                Err(E::invalid_type(serde::de::Unexpected::Float(number), &self))
            }
        }

        deserializer.deserialize_any(Digits)
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Spanned::<Count>::deserialize(deserializer)?;
        Ok(Self { value: number.value.0, place: place(number.defined) })
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;

        impl Visitor<'_> for Word {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(value))
            }
        }

        deserializer.deserialize_any(Word)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Spanned::<T>::deserialize(deserializer)?;
        Ok(Self { value: read.value, place: place(read.defined) })
    }
}

impl<T: JsonSchema> JsonSchema for Placed<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl JsonSchema for Whole {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0 })
    }
}

impl JsonSchema for Flag {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Flag".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "boolean" })
    }
}
