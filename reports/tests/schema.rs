//! A measured report conforms to the published schema.
//!
//! The validator below supports the keywords of JSON Schema that the schema uses. It panics on other
//! keywords, so that no rule is ignored.
#![forbid(unsafe_code)]

use keymill_report::model::VERSION;
use keymill_report::{Report, Request, SCHEMA, compare, from_json, to_json};
use serde_json::{Value, json};

/// Returns the violations of a value, each with its path.
fn offences(schema: &Value, value: &Value, root: &Value, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (word, rule) in schema.as_object().unwrap() {
        match word.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" => {}
            "$ref" => {
                let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                found.extend(offences(&root["$defs"][name], value, root, place));
            }
            "anyOf" => {
                let mut any = rule.as_array().unwrap().iter();
                if !any.any(|one| offences(one, value, root, place).is_empty()) {
                    found.push(format!("{place}: anyOf"));
                }
            }
            "properties" | "items" => found.extend(offences_within(rule, word, value, root, place)),
            word if is_kept(word, rule, schema, value) => {}
            word => found.push(format!("{place}: {word}")),
        }
    }
    found
}

/// Returns the violations of the parts of a value, by `properties` or `items`.
fn offences_within(
    rule: &Value,
    word: &str,
    value: &Value,
    root: &Value,
    place: &str,
) -> Vec<String> {
    let parts: Vec<(String, &Value, &Value)> = match word {
        "items" => {
            let items = value.as_array().into_iter().flatten().enumerate();
            items
                .map(|(at, part)| (at.to_string(), rule, part))
                .collect()
        }
        _ => {
            let all = rule.as_object().unwrap().iter();
            all.filter_map(|(name, inner)| Some((name.clone(), inner, value.get(name)?)))
                .collect()
        }
    };
    let offences_of = |(name, inner, part)| offences(inner, part, root, &format!("{place}/{name}"));
    parts.into_iter().flat_map(offences_of).collect()
}

/// Returns whether a value conforms to a keyword that is not about its parts.
fn is_kept(word: &str, rule: &Value, schema: &Value, value: &Value) -> bool {
    match word {
        "type" => match rule {
            Value::Array(any) => any.iter().any(|one| is_of(one, value)),
            one => is_of(one, value),
        },
        "enum" => rule.as_array().unwrap().contains(value),
        "const" => rule == value,
        "minimum" => value.is_null() || value.as_u64() >= rule.as_u64(),
        "pattern" => is_of_16_digits(rule, value),
        "required" => {
            let mut names = rule.as_array().unwrap().iter();
            names.all(|name| value.get(name.as_str().unwrap()).is_some())
        }
        "additionalProperties" => {
            assert_eq!(rule, false);
            let known = schema["properties"].as_object().unwrap();
            let mut names = value.as_object().map(|it| it.keys()).into_iter().flatten();
            names.all(|name| known.contains_key(name))
        }
        other => panic!("this test does not support `{other}`"),
    }
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("this test does not support the type `{other}`"),
    }
}

fn is_of_16_digits(pattern: &Value, value: &Value) -> bool {
    assert_eq!(pattern, "^[0-9a-f]{16}$");
    let text = value.as_str().unwrap();
    text.len() == 16
        && text
            .bytes()
            .all(|it| it.is_ascii_hexdigit() && !it.is_ascii_uppercase())
}

fn against_schema(report: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    offences(&schema, report, &schema, "")
}

/// Returns a quick report on a small text.
fn measured() -> Report {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.txt");
    std::fs::write(&path, "to be or not to be\n".repeat(4000)).unwrap();
    let request = Request {
        quick: true,
        data: vec![path],
        command: "a test".to_owned(),
        ..Request::default()
    };
    let mut steps = 0;
    let report = compare(&request, &mut |step| {
        assert!((0.0..=1.0).contains(&step.done), "{step:?}");
        steps += 1;
    });
    assert!(steps > 4);
    report.unwrap()
}

#[test]
fn a_measured_report_conforms_to_the_schema_and_round_trips() {
    let report = measured();
    assert!(
        report.is_sound(),
        "{:?} {:?}",
        report.disagreements,
        report.failures
    );
    let text = to_json(&report).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(against_schema(&value), [""; 0]);
    assert_eq!(from_json(&text).unwrap(), report);
    damage_is_found(&value);
}

/// Checks that the validator finds damage.
fn damage_is_found(report: &Value) {
    for (place, damage) in [
        ("/version", json!(1)),
        ("/plan", json!("slow")),
        ("/took_ms", json!(-1)),
        ("/machine/fingerprint", json!("ABC")),
        ("/memory_read/one_core", json!(null)),
        ("/cases/0/ways/0/end_to_end/median", json!("1 s")),
        ("/cases/0/ways/0/kernel", json!(7)),
        ("/cases/0/ways/0/answer", json!({"rows": 1, "groups": 1})),
        ("/notes", json!([1])),
        ("/measures/0/unit", json!("furlongs")),
        ("/measures/0/name", json!("speed")),
    ] {
        let mut damaged = report.clone();
        *damaged.pointer_mut(place).unwrap() = damage;
        assert!(!against_schema(&damaged).is_empty(), "{place}");
    }
    let mut damaged = report.clone();
    damaged["speed"] = json!(1);
    assert_eq!(against_schema(&damaged), [": additionalProperties"]);
    assert!(from_json(&damaged.to_string()).is_err());
    let mut later = report.clone();
    later["version"] = json!(VERSION + 1);
    let error = from_json(&later.to_string()).unwrap_err();
    let named = format!("keymill-report {}", VERSION + 1);
    assert!(error.to_string().contains(&named), "{error}");
    // A report of version 1, which lacks some fields.
    let mut earlier = report.clone();
    earlier["version"] = json!(1);
    earlier.as_object_mut().unwrap().remove("measures");
    let error = from_json(&earlier.to_string()).unwrap_err();
    assert!(error.to_string().contains("keymill-report 1"), "{error}");
}

/// With invented figures of an adapter.
#[test]
fn the_fields_of_adapters_are_in_the_schema() {
    let spread = json!({"median": 2, "min": 1, "max": 3, "runs": 3});
    let answer = json!({"rows": 6, "groups": 4, "digest": "00000000000000ff"});
    let mut report = serde_json::to_value(Report::default()).unwrap();
    report["format"] = json!("keymill-report");
    report["version"] = json!(VERSION);
    report["plan"] = json!("full");
    report["machine"]["fingerprint"] = json!("0123456789abcdef");
    report["machine"]["build"] = json!("release");
    report["adapters"] = json!([{
        "name": "Pebble", "label": "GPU", "is_software": false, "interface": "vulkan",
        "driver": "invented", "binding_bytes": 1, "not_measured": null,
        "limits": {"upload": spread, "pinned": spread, "readback": spread, "launch_ns": spread},
    }]);
    report["cases"] = json!([{
        "subject": "count", "data": "words", "bytes": 1, "expected": null,
        "ways": [{
            "name": "Pebble (GPU)", "part": "stage", "level": null, "threads": null, "adapter": 0,
            "end_to_end": spread, "kernel": spread, "upload": spread, "readback": spread,
            "launch": spread, "answer": answer,
        }],
    }]);
    report["resident"] = report["cases"].clone();
    report["variants"] = report["cases"].clone();
    report["latency"] = json!([{
        "way": "Pebble (GPU)", "adapter": 0, "data": "words", "bytes": 1, "p50": 1, "p90": 2,
        "p99": 3, "max": 4, "runs": 5,
    }]);
    report["needed"] = json!([{
        "data": "words", "bytes": 1, "cpu": 2, "bus": "a bus", "bus_rate": 3, "kernel": null,
    }]);
    report["measures"] = json!([{
        "name": "micro_batch", "adapter": 0, "data": "words", "bytes": 1, "unit": "nanoseconds",
        "figure": spread,
    }]);
    report["crossovers"] = json!([{
        "subject": "count", "data": "words", "adapter": 0, "bytes": null, "from_bytes": 1,
        "up_to_bytes": 2,
    }]);
    let change = json!({
        "subject": "count", "data": "words", "bytes": 1, "way": "Pebble (GPU)", "before": spread,
        "now": spread, "ratio": 1200,
    });
    report["since"] = json!({
        "started": "2026-01-01T00:00:00Z", "keymill": "0.1.0", "reference": 1000, "compared": 3,
        "too_few_runs": 1, "slower": [change], "faster": [],
    });
    assert_eq!(against_schema(&report), [""; 0]);
    assert!(from_json(&report.to_string()).is_ok());
}
