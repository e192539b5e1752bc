//! Tests of the judge as a whole.

mod edges;
mod nulls;
mod replay;
mod rows;
mod world;
