//! The result: rows beside their bounds. Pure.

use std::fmt;

/// One bound and what was measured.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) measured: String,
    pub(crate) bound: String,
    pub(crate) met: bool,
    /// What the figures come from.
    pub(crate) note: String,
}

/// All rows, under the settings that they hold for.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) settings: Vec<(&'static str, String)>,
    pub(crate) rows: Vec<Row>,
}

impl Table {
    pub(crate) fn all_met(&self) -> bool {
        self.rows.iter().all(|row| row.met)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = |cell: fn(&Row) -> &String, head: &str| {
            let cells = self.rows.iter().map(|row| cell(row).chars().count());
            cells.chain([head.len()]).max().unwrap_or_default()
        };
        let what = widest(|row| &row.what, "what");
        let measured = widest(|row| &row.measured, "measured");
        let bound = widest(|row| &row.bound, "bound");
        for (name, value) in &self.settings {
            writeln!(f, "{name:<9} {value}")?;
        }
        writeln!(f)?;
        let (head, line) = (["what", "measured", "bound"], ["", "", ""]);
        writeln!(
            f,
            "| {:<what$} | {:<measured$} | {:<bound$} | met |",
            head[0], head[1], head[2]
        )?;
        writeln!(
            f,
            "|-{:-<what$}-|-{:-<measured$}-|-{:-<bound$}-|-----|",
            line[0], line[1], line[2]
        )?;
        for row in &self.rows {
            let met = if row.met { "yes" } else { "NO" };
            writeln!(
                f,
                "| {:<what$} | {:<measured$} | {:<bound$} | {met:<3} |",
                row.what, row.measured, row.bound
            )?;
        }
        writeln!(f)?;
        for row in &self.rows {
            writeln!(f, "{}: {}", row.what, row.note)?;
        }
        Ok(())
    }
}
