//! What is asked of the codec.

use std::fmt;

use crate::ours::Ours;
use crate::peers::{HESSIAN_LITE, Peer};
use crate::rows::Row;

/// A measured number and what it must not exceed, or fall below.
pub(crate) struct Bound {
    what: String,
    measured: f64,
    limit: Limit,
}

enum Limit {
    AtMost(f64),
    AtLeast(f64),
    /// Nothing is asked; it belongs beside a number of which something is.
    Shown,
}
use Limit::{AtLeast, AtMost, Shown};

impl Bound {
    pub(crate) fn holds(&self) -> bool {
        match self.limit {
            AtMost(limit) => self.measured <= limit,
            AtLeast(limit) => self.measured >= limit,
            Shown => true,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = match self.limit {
            AtMost(limit) => format!("<= {limit}"),
            AtLeast(limit) => format!(">= {limit}"),
            Shown => String::new(),
        };
        let Self { what, measured, .. } = self;
        write!(f, "{what:48} {measured:12.1} {limit:>12}")
    }
}

pub(crate) fn all(ours: &Ours, peers: &[Peer]) -> Vec<Bound> {
    let mut bounds = absolute(ours);
    let bound = |what: String, measured, limit| Bound {
        what,
        measured,
        limit,
    };
    for peer in peers {
        for sample in ["small", "typical"] {
            let theirs = peer.expect("index", sample);
            let (index, texts) = (Row::Index, Row::Attachments);
            let (index, texts) = (ours.expect(index, sample), ours.expect(texts, sample));
            let what = format!("index of {sample}, as fast as {}", peer.name);
            bounds.push(bound(what, theirs / index, AtLeast(10.0)));
            let what = "  with the texts of all attachments".into();
            bounds.push(bound(what, theirs / (index + texts), Shown));
        }
    }
    let java = peers.iter().find(|peer| peer.name == HESSIAN_LITE);
    let java = java.expect("hessian-lite was measured");
    for row in [Row::Decode, Row::Encode] {
        let what = format!("{} of typical, as fast as {}", row.name(), java.name);
        let ratio = java.expect(row.name(), "typical") / ours.expect(row, "typical");
        bounds.push(bound(what, ratio, AtLeast(3.0)));
    }
    bounds
}

/// Those that have nothing to do with a peer.
fn absolute(ours: &Ours) -> Vec<Bound> {
    let cjk = ours.bytes("cjk") / ours.expect(Row::Index, "cjk");
    let cjk_limit = if cfg!(feature = "simd") { 10.0 } else { 2.0 };
    let bounds = [
        ("head, ns", ours.expect(Row::Head, "small"), AtMost(3.0)),
        ("peek, ns", ours.expect(Row::Peek, "small"), AtMost(30.0)),
        (
            "index of small, ns",
            ours.expect(Row::Index, "small"),
            AtMost(150.0),
        ),
        (
            "index of typical, ns",
            ours.expect(Row::Index, "typical"),
            AtMost(350.0),
        ),
        (
            "index of large, ns a value",
            ours.per_value("large"),
            AtMost(5.0),
        ),
        ("index of CJK, GB/s", cjk, AtLeast(cjk_limit)),
        (
            "heap allocations of head to attachments",
            ours.allocations,
            AtMost(0.0),
        ),
        (
            "patch of 64 KB, ns",
            ours.expect(Row::Patch, "64k"),
            AtMost(100.0),
        ),
        (
            "bytes of arguments that a patch copies",
            ours.copied,
            AtMost(0.0),
        ),
    ];
    let bounds = bounds.into_iter().map(|(what, measured, limit)| Bound {
        what: what.into(),
        measured,
        limit,
    });
    bounds.collect()
}
