//! Parts that are away for long.
