//! Tests of the judge as a whole.

mod compact;
mod edges;
mod explained;
mod nulls;
mod order;
mod replay;
mod rows;
mod world;
