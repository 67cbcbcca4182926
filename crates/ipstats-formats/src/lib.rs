//! Placeholder for the interface; see the brief.
