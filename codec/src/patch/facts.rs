//! What in a value has a number, or means something by its number.

use crate::body::Written;
use crate::{hessian2, jsonb};

/// What of a value matters to those around it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// Something in it has a number: an object, a class, a type, a symbol.
    pub(super) defines: bool,
    /// It has parts.
    pub(super) parts: bool,
    /// Something in it is meant by its number, or takes one.
    pub(super) refers: bool,
    /// It holds a path to something else.
    pub(super) paths: bool,
}

impl Facts {
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            defines: self.defines | other.defines,
            parts: self.parts | other.parts,
            refers: self.refers | other.refers,
            paths: self.paths | other.paths,
        }
    }

    pub(super) fn of(format: Written, value: &[u8]) -> Self {
        match format {
            Written::Hessian2 => {
                let lead = value.first().copied().unwrap_or(b'N');
                let refers = hessian2::has_parts(lead);
                let parts = refers && lead != b'Q';
                Self {
                    defines: parts,
                    parts,
                    refers,
                    paths: false,
                }
            }
            Written::Jsonb => jsonb::facts(value, Self::default(), |facts, part| match part {
                jsonb::Part::Container => Self {
                    parts: true,
                    ..facts
                },
                jsonb::Part::Definition => Self {
                    defines: true,
                    ..facts
                },
                jsonb::Part::Use => Self {
                    refers: true,
                    ..facts
                },
                jsonb::Part::Path => Self {
                    paths: true,
                    ..facts
                },
            })
            .with_paths(),
        }
    }

    /// A container can be what a path points at.
    const fn with_paths(self) -> Self {
        Self {
            defines: self.defines | self.parts,
            ..self
        }
    }
}
