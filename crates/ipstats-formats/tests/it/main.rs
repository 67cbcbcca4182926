//! Tests of the crate from outside, over sample data.

mod real_logs;

mod support;
