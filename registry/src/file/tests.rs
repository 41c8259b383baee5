use super::lists::lists;
use super::*;

fn read(text: &str) -> Result<Lists, String> {
    let reading = Reading {
        labels: Vec::new().into(),
    };
    lists(text, "providers.yaml", &reading)
}

/// `list: providers, rejected`.
fn told(text: &str) -> Vec<String> {
    let line = |(name, list): (&Arc<str>, &ProviderList)| {
        format!("{name}: {}, {}", list.providers.len(), list.rejected.len())
    };
    read(text).unwrap().iter().map(line).collect()
}

#[test]
fn a_file_is_a_list_of_urls_one_list_for_each_interface() {
    let text = "- dubbo://10.0.0.1:20880/com.acme.A\n- tri://10.0.0.1:50051/com.acme.A\n\
                - dubbo://10.0.0.1:20880/com.acme.B\n- nonsense\n";
    let expected = [
        "com.acme.A: 2, 0",
        "com.acme.B: 1, 0",
        "providers.yaml: 0, 1",
    ];
    assert_eq!(told(text), expected);
    let indented: String = text.lines().map(|line| format!("  {line}\n")).collect();
    assert_eq!(told(&format!("providers:\n{indented}")), expected);
}

/// A file that was cut short, emptied or is another one must not look like an empty registry.
#[test]
fn only_an_empty_list_is_empty() {
    assert_eq!(read("[]"), Ok(Lists::new()));
    assert_eq!(read("providers: []"), Ok(Lists::new()));
    for text in [
        "",
        "\n",
        "# - dubbo://10.0.0.1:20880/a\n",
        "---\n",
        "null",
        "~",
        "{}",
        "providers:",
        "providers: ~",
        "x: []",
        "text",
        "- {a: b}",
        "- [a]",
        "- \"dubbo://10.0.0.1",
        "-",
        "- ~",
    ] {
        assert!(read(text).is_err(), "{text:?} {:?}", read(text));
    }
}

#[test]
fn a_mistake_has_a_place() {
    let error = read("- dubbo://10.0.0.1:20880/a\n- {a: b}\n").unwrap_err();
    assert!(error.starts_with("line 2, column 3: "), "{error}");
}

#[test]
fn what_changed_between_two_readings_is_told_and_nothing_else() {
    let before =
        read("[dubbo://10.0.0.1:20880/a, dubbo://10.0.0.1:20880/b, dubbo://10.0.0.1:20880/c]")
            .unwrap();
    let now = read("[dubbo://10.0.0.1:20880/a, dubbo://10.0.0.2:20880/b]").unwrap();
    let lines: Vec<_> = changed(&before, &now)
        .iter()
        .map(|list| format!("{}: {}", list.list, list.providers.len()))
        .collect();
    assert_eq!(lines, ["b: 1", "c: 0"]);
    assert_eq!(changed(&now, &now), []);
}
