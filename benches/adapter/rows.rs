//! What is measured, a file each.

pub(crate) mod change;
pub(crate) mod cpu;
pub(crate) mod first_answer;
pub(crate) mod memory;
