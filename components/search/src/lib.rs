//! The `search` component.
