//! What may be written in two ways: a text or a list of texts, a text or a table, a number or a text. By hand, since
//! serde's untagged enums lose both the place and the message.

use std::{borrow::Cow, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_saphyr::Spanned;

use crate::experiment::{
    file::form::text::{Text, place},
    model::Place,
};

/// A text, or a list of texts.
#[derive(Clone, Debug)]
pub(in crate::experiment::file) enum TextOrList {
    Text(Text),
    List(Vec<Text>, Place),
}

/// A text, or a table.
#[derive(Clone, Debug)]
pub(in crate::experiment::file) enum TextOr<T> {
    Text(Text),
    Table(T),
}

/// A number, or a text.
#[derive(Clone, Debug)]
pub(in crate::experiment::file) struct NumberOrText(pub(in crate::experiment::file) Text);

impl TextOrList {
    /// One, or all of them.
    pub(in crate::experiment::file) fn all(&self) -> &[Text] {
        match self {
            Self::Text(text) => std::slice::from_ref(text),
            Self::List(texts, _) => texts,
        }
    }

    /// Where it begins.
    pub(in crate::experiment::file) const fn place(&self) -> Place {
        match self {
            Self::Text(text) => text.place,
            Self::List(_, place) => *place,
        }
    }
}

/// The same before its place is known.
enum Words {
    One(String),
    Several(Vec<Text>),
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Words;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Words, E> {
                Ok(Words::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Words::Several(texts))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for TextOrList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Spanned::<Words>::deserialize(deserializer)?;
        let place = place(words.defined);
        Ok(match words.value {
            Words::One(value) => Self::Text(Text { value, place }),
            Words::Several(texts) => Self::List(texts, place),
        })
    }
}

/// A text without its place, or a table.
enum Loose<T> {
    Text(String),
    Table(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Loose<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Loose<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a table")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Loose<T>, E> {
                Ok(Loose::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Loose<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(table)).map(Loose::Table)
            }
        }

        deserializer.deserialize_any(Either(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for TextOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Spanned::<Loose<T>>::deserialize(deserializer)?;
        Ok(match read.value {
            Loose::Text(value) => Self::Text(Text { value, place: place(read.defined) }),
            Loose::Table(table) => Self::Table(table),
        })
    }
}

/// A number as text, or a text.
struct Digits(String);

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Digits;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a text")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Digits, E> {
                Ok(Digits(number.to_string()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Digits, E> {
                Ok(Digits(number.to_string()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Digits, E> {
                Ok(Digits(number.to_string()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Digits, E> {
                Ok(Digits(text.to_owned()))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for NumberOrText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Spanned::<Digits>::deserialize(deserializer)?;
        Ok(Self(Text { value: read.value.0, place: place(read.defined) }))
    }
}

impl JsonSchema for TextOrList {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TextOrList".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"], "items": { "type": "string" } })
    }
}

impl<T: JsonSchema> JsonSchema for TextOr<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("TextOr{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [{ "type": "string" }, table] })
    }
}

impl JsonSchema for NumberOrText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "NumberOrText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string"] })
    }
}
