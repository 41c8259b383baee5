//! Statuses, both ways, and that the documentation has the same.

use super::*;

/// The statuses by number, as the design has them.
#[test]
fn statuses() {
    for (dubbo, http) in [
        (20, 200),
        (25, 500),
        (30, 504),
        (31, 504),
        (35, 500),
        (40, 400),
        (50, 500),
        (60, 404),
        (70, 500),
        (80, 500),
        (90, 500),
        (100, 429),
        (0, 500),
        (255, 500),
    ] {
        assert_eq!(http_status(Status(dubbo)), http, "{dubbo}");
    }
    for (http, dubbo) in [
        (404, 60),
        (503, 80),
        (504, 31),
        (408, 31),
        (400, 40),
        (403, 40),
        (401, 40),
        (413, 40),
        (429, 100),
        (500, 80),
        (502, 80),
        (200, 50),
        (204, 50),
        (302, 80),
        (0, 80),
    ] {
        assert_eq!(dubbo_status(http), Status(dubbo), "{http}");
    }
    // What Istio repeats by default.
    assert!((0..=255).all(|status| http_status(Status(status)) != 503));
}

/// The rows of the documentation's table under `heading`: the numbers of the first column, and that of
/// the second.
fn documented(heading: &str) -> Vec<(Vec<u16>, u16)> {
    let readme = include_str!("../../../README.md");
    let (_, table) = readme.split_once(heading).unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let mut columns = line.split('|').skip(1).map(|column| {
            let numbers = column.split(|c: char| !c.is_ascii_alphanumeric());
            numbers
                .filter_map(|number| number.parse().ok())
                .collect::<Vec<u16>>()
        });
        (columns.next().unwrap(), columns.next().unwrap()[0])
    };
    rows.map(row).collect()
}

#[test]
fn the_documentation_has_the_same_statuses() {
    let rows = documented("| Dubbo status of the response | `:status` |");
    let told = |status| {
        rows.iter()
            .find(|(from, _)| from.contains(&status))
            .map_or(500, |(_, to)| *to)
    };
    assert_eq!((rows.len(), rows[5].1, rows[6].1), (7, 500, 204));
    assert!((0..=255).all(|status| told(status) == http_status(Status(status as u8))));
    let rows = documented(
        "| HTTP status of an answer that is no Dubbo frame | Dubbo status for the caller |",
    );
    assert_eq!((rows.len(), rows[0].1, rows[5].1), (6, 50, 80));
    let told = |status| match rows[1..5].iter().find(|(from, _)| from.contains(&status)) {
        Some((_, to)) => *to,
        None if status / 100 == 2 => 50,
        None => 80,
    };
    assert!((0..1000).all(|status| told(status) == u16::from(dubbo_status(status).0)));
}
