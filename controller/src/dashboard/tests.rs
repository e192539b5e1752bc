//! The dashboard as a whole, behind an API server that exists in the test only.

mod arguments;
mod changes;
mod decide;
mod harness;
mod matrix;
mod session;
