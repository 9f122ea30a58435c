//! The `write` component.
