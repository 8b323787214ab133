//! Schema and reader agree: whatever is changed in the examples, one takes it if the other does. The schema is read by
//! the few lines below, which know no more than the words that are in it, and nothing of the reader.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::experiment::file::{self, source::Source, tests::EXAMPLES, yaml};

/// Does a value fit a schema?
fn fits(value: &Value, schema: &Value, root: &Value) -> bool {
    let Value::Object(words) = schema else { return schema == &Value::Bool(true) };
    words.iter().all(|(word, argument)| match word.as_str() {
        "$ref" => {
            let name = argument.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
            fits(value, &root["$defs"][name], root)
        }
        "type" => match argument {
            Value::Array(kinds) => kinds.iter().any(|kind| is(value, kind.as_str().unwrap())),
            kind => is(value, kind.as_str().unwrap()),
        },
        "const" => value.as_f64() == argument.as_f64(),
        "minimum" => value.as_f64().is_none_or(|number| number >= argument.as_f64().unwrap()),
        "anyOf" => argument.as_array().unwrap().iter().any(|schema| fits(value, schema, root)),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| fits(item, argument, root))),
        "required" => value.as_object().is_none_or(|table| {
            argument.as_array().unwrap().iter().all(|key| table.contains_key(key.as_str().unwrap()))
        }),
        "properties" => value.as_object().is_none_or(|table| {
            table.iter().all(|(key, value)| argument.get(key).is_none_or(|schema| fits(value, schema, root)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|table| {
            let others = table.iter().filter(|(key, _)| {
                words.get("properties").is_none_or(|properties| properties.get(key.as_str()).is_none())
            });
            others.into_iter().all(|(_, value)| argument != false && fits(value, argument, root))
        }),
        "$schema" | "$defs" | "title" | "description" | "default" => true,
        other => panic!("the schema has the word {other}, which this test does not know"),
    })
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        other => panic!("{other}"),
    }
}

/// The first stage of the reader.
fn is_read(text: &str) -> Result<(), String> {
    yaml::read("x.json", text, &Source::new(text)).map(|_| ()).map_err(|problem| problem.to_string())
}

fn example(index: usize) -> Value {
    serde_saphyr::from_str(EXAMPLES[index].1).unwrap()
}

/// How many values there are, each with all that is in it.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(table) => table.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// Changes the value that is the `nth`, in depth first.
fn change(value: &mut Value, nth: &mut usize, how: &Change) {
    if *nth == 0 {
        how.make(value);
        *nth = usize::MAX;
        return;
    }
    *nth -= 1;
    let inside: Box<dyn Iterator<Item = &mut Value>> = match value {
        Value::Array(items) => Box::new(items.iter_mut()),
        Value::Object(table) => Box::new(table.values_mut()),
        _ => return,
    };
    for value in inside {
        if *nth != usize::MAX {
            change(value, nth, how);
        }
    }
}

/// What is done to a value.
#[derive(Clone, Debug)]
enum Change {
    Replace(Value),
    Drop(usize),
    Rename(usize, &'static str),
    Add(&'static str, Value),
}

impl Change {
    fn make(&self, value: &mut Value) {
        let key = |table: &serde_json::Map<String, Value>, nth: usize| {
            (!table.is_empty()).then(|| table.keys().nth(nth % table.len()).cloned()).flatten()
        };
        match (self, value) {
            (Self::Replace(other), value) => *value = other.clone(),
            (Self::Drop(nth), Value::Object(table)) => {
                key(table, *nth).and_then(|key| table.remove(&key));
            }
            (Self::Rename(nth, name), Value::Object(table)) => {
                if let Some(value) = key(table, *nth).and_then(|key| table.remove(&key)) {
                    table.insert((*name).to_owned(), value);
                }
            }
            (Self::Add(name, other), Value::Object(table)) => {
                table.insert((*name).to_owned(), other.clone());
            }
            (Self::Add(_, other), Value::Array(items)) => items.push(other.clone()),
            _ => {}
        }
    }
}

const KEYS: [&str; 16] = [
    "for", "in", "target", "within", "http", "url", "wait", "parallel", "run", "injector", "tcp", "rate",
    "default", "x", "seed", "expect",
];

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(5)),
        Just(json!(-5)),
        Just(json!(5.5)),
        Just(json!(true)),
        Just(json!("text")),
        Just(json!([])),
        Just(json!(["text"])),
        Just(json!([5])),
        Just(json!({})),
        Just(json!({ "url": "http://a/" })),
        Just(json!({ "when": "always", "lines": "x" })),
    ]
}

fn changes() -> impl Strategy<Value = Change> {
    let keys = || proptest::sample::select(&KEYS[..]);
    prop_oneof![
        values().prop_map(Change::Replace),
        any::<usize>().prop_map(Change::Drop),
        (any::<usize>(), keys()).prop_map(|(nth, name)| Change::Rename(nth, name)),
        (keys(), values()).prop_map(|(name, value)| Change::Add(name, value)),
    ]
}

#[test]
fn the_examples_fit() {
    let schema = file::schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for (index, (name, _)) in EXAMPLES.iter().enumerate() {
        assert!(fits(&example(index), &schema, &schema), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn schema_and_reader_agree(
        index in 0..EXAMPLES.len(),
        made in prop::collection::vec((any::<usize>(), changes()), 1..3),
    ) {
        let mut value = example(index);
        for (nth, how) in made {
            let mut nth = nth % count(&value);
            change(&mut value, &mut nth, &how);
        }
        let schema = file::schema();
        let text = value.to_string();
        let read = is_read(&text);
        prop_assert_eq!(fits(&value, &schema, &schema), read.is_ok(), "{:?}: {}", read, text);
    }
}
