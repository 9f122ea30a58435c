//! The `health` component.
