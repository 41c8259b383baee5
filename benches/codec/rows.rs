//! What is done with a request, once or many times.

use std::hint::black_box;

use dubbo_codec::hessian2::{Encoder, Graph, Node, Value, decode};
use dubbo_codec::{FrameHead, Limits, Request, RequestEdit, RequestPeek};

use crate::samples::Sample;

/// One way to look at a request, from the cheapest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// The 16 bytes.
    Head,
    /// Interface, version, method and descriptor.
    Peek,
    /// Where everything is, every attachment too: one pass over the whole body.
    Index,
    /// The texts of all attachments, keys and values, after that.
    Attachments,
    /// Every value, as a graph.
    Decode,
    /// The bytes of that graph.
    Encode,
    /// One attachment replaced: the pieces of a vectored write.
    Patch,
}

impl Row {
    pub(crate) const ALL: [Self; 7] = [
        Self::Head,
        Self::Peek,
        Self::Index,
        Self::Attachments,
        Self::Decode,
        Self::Encode,
        Self::Patch,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Peek => "peek",
            Self::Index => "index",
            Self::Attachments => "attachments",
            Self::Decode => "decode",
            Self::Encode => "encode",
            Self::Patch => "patch",
        }
    }
}

/// A sample, and what a row may presuppose of it.
pub(crate) struct Prepared<'a> {
    pub(crate) sample: &'a Sample,
    head: FrameHead,
    body: &'a [u8],
    limits: Limits,
    request: Request<'a>,
    graph: Graph<'a>,
    values: Vec<Value<'a>>,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(sample: &'a Sample) -> Self {
        let (head, body, limits) = (sample.head(), sample.body(), Limits::default());
        let request = Request::parse(&head, body, &limits).expect("a request");
        let (graph, values) = decode(body, &limits).expect("values");
        Self {
            sample,
            head,
            body,
            limits,
            request,
            graph,
            values,
        }
    }

    /// How many values there are: lists, maps, objects, and what they hold.
    pub(crate) fn values(&self) -> usize {
        let held = (0..self.graph.len()).filter_map(|at| self.graph.node_id(at));
        let held = held.map(|id| match self.graph.node(id) {
            Some(Node::List { items, .. }) => items.len(),
            Some(Node::Map { entries, .. }) => 2 * entries.len(),
            Some(Node::Object { fields, .. }) => fields.len(),
            None => 0,
        });
        self.values.len() + held.sum::<usize>()
    }

    /// Does it `rounds` times. Each time asserts that it was done, so that no error is measured.
    pub(crate) fn run(&self, row: Row, rounds: u32) {
        match row {
            Row::Head => repeat(rounds, || {
                let head = FrameHead::parse(black_box(&self.sample.frame));
                assert!(black_box(&head).is_ok());
            }),
            Row::Peek => repeat(rounds, || {
                let peek =
                    RequestPeek::parse(black_box(&self.head), black_box(self.body), &self.limits);
                assert!(black_box(&peek).as_ref().is_ok_and(Option::is_some));
            }),
            Row::Index => repeat(rounds, || {
                let request =
                    Request::parse(black_box(&self.head), black_box(self.body), &self.limits);
                let found = |request: &Request<'_>| request.attachments().len() == 9;
                assert!(black_box(&request).as_ref().is_ok_and(found));
            }),
            Row::Attachments => repeat(rounds, || {
                let attachments = black_box(&self.request).attachments();
                let seen = attachments.iter().filter(|(key, value)| {
                    black_box(key).is_some() && black_box(value).as_text().is_some()
                });
                assert_eq!(seen.count(), 9);
            }),
            Row::Decode => repeat(rounds, || {
                let (graph, values) = decode(black_box(self.body), &self.limits).expect("values");
                assert!(black_box(&graph).len() + values.len() > 6);
            }),
            Row::Encode => repeat(rounds, || {
                let mut encoder = Encoder::new(black_box(&self.graph));
                self.values.iter().for_each(|value| encoder.value(*value));
                assert_eq!(black_box(encoder.into_bytes()).len(), self.body.len());
            }),
            Row::Patch => repeat(rounds, || {
                let mut edit = RequestEdit::new();
                edit.set(black_box("dubbo.tag"), black_box("stable"));
                let patch = self.request.patch(&self.head, &edit, &self.limits);
                assert!(!black_box(&patch).as_ref().expect("a patch").is_empty());
            }),
        }
    }

    /// How many bytes of a patched frame are not where the original has them.
    pub(crate) fn patched_bytes(&self) -> usize {
        let mut edit = RequestEdit::new();
        edit.set("dubbo.tag", "stable");
        let patch = self
            .request
            .patch(&self.head, &edit, &self.limits)
            .expect("a patch");
        let original = self.body.as_ptr_range();
        let new = |segment: &&[u8]| !original.contains(&segment.as_ptr());
        patch.segments().filter(new).map(<[u8]>::len).sum()
    }
}

fn repeat(rounds: u32, mut once: impl FnMut()) {
    (0..rounds).for_each(|_| once());
}
