//! Rows of texts as a table of Markdown. Pure.

use std::fmt;

/// A head and rows of as many cells.
#[derive(Clone, Debug)]
pub(crate) struct Table<const N: usize> {
    pub(crate) title: String,
    pub(crate) head: [&'static str; N],
    pub(crate) rows: Vec<[String; N]>,
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |n: usize| {
            let cells = self.rows.iter().map(|row| row[n].chars().count());
            cells.chain([self.head[n].len()]).max().unwrap_or_default()
        };
        let widths: [usize; N] = std::array::from_fn(width);
        let line = |f: &mut fmt::Formatter<'_>, cells: [&str; N]| {
            for (cell, width) in cells.iter().zip(widths) {
                write!(f, "| {cell:<width$} ")?;
            }
            writeln!(f, "|")
        };
        writeln!(f, "{}\n", self.title)?;
        line(f, self.head)?;
        for width in widths {
            write!(f, "|{:-<1$}", "", width + 2)?;
        }
        writeln!(f, "|")?;
        for row in &self.rows {
            line(f, row.each_ref().map(String::as_str))?;
        }
        Ok(())
    }
}
