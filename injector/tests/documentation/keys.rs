//! The tables of docs/experiments.md are what the schema of the files has.

use std::{collections::BTreeSet, fs};

use injector::experiment::file;
use serde_json::Value;

use crate::root;

/// The name of a table that a schema refers to.
fn table(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str().and_then(|name| name.rsplit('/').next())
}

/// What may be written, in words.
fn kind(schema: &Value) -> String {
    if let Some(name) = table(schema) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let choices = choices.iter().filter(|choice| choice["type"] != "null").map(kind);
        return choices.collect::<Vec<_>>().join(" or ");
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect()
        }
        Value::String(kind) => vec![kind.as_str()],
        _ => return "anything".to_owned(),
    };
    let word = |one: &&str| match *one {
        "string" => "text".to_owned(),
        "integer" | "number" => "number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" if schema["items"]["type"] == "string" => "list of texts".to_owned(),
        "array" => format!("list of {}", kind(&schema["items"])),
        "object" if schema["additionalProperties"]["type"] == "string" => "name: text".to_owned(),
        "object" => format!("name: {}", kind(&schema["additionalProperties"])),
        other => other.to_owned(),
    };
    kinds.iter().map(word).collect::<Vec<_>>().join(" or ")
}

/// The rows of a table.
fn rows(schema: &Value) -> BTreeSet<String> {
    let required =
        |key: &str| schema["required"].as_array().is_some_and(|keys| keys.iter().any(|known| known == key));
    let row = |(key, value): (&String, &Value)| {
        let needed = if required(key) { ", required" } else { "" };
        let description = value["description"].as_str().unwrap().replace('\n', " ");
        format!("| `{key}` | {}{needed} | {description} |", kind(value))
    };
    schema["properties"].as_object().unwrap().iter().map(row).collect()
}

#[test]
fn the_keys_of_experiments() {
    let document = fs::read_to_string(root().join("docs/experiments.md")).unwrap();
    let schema = file::schema();
    let mut tables: Vec<_> = schema["$defs"].as_object().unwrap().iter().collect();
    let whole = "The whole file".to_owned();
    tables.push((&whole, &schema));
    for (name, schema) in tables {
        let section = document
            .split(&format!("\n### {name}\n"))
            .nth(1)
            .unwrap_or_else(|| panic!("{name} is not there"));
        let section = section.split("\n#").next().unwrap();
        let told: BTreeSet<_> =
            section.lines().filter(|line| line.starts_with("| `")).map(str::to_owned).collect();
        assert_eq!(told, rows(schema), "{name}");
    }
}
