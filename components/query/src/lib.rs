//! The `query` component.
