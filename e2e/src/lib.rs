//! A real fleet on one machine, and the tests that run on it.
//!
//! Real Kubernetes control planes, gateways and metrics stores run as plain processes in a
//! network namespace of their own; pods are processes too. See [`fleet::Fleet`].

pub mod access;
pub mod addresses;
pub mod app;
pub mod apply;
pub mod audit;
pub mod bench;
pub mod chart;
pub mod cluster;
pub mod components;
pub mod console;
pub mod demo;
pub mod fleet;
pub mod gateway;
pub mod http;
pub mod hub_process;
pub mod kubeconfig;
pub mod kubelet;
pub mod load;
pub mod namespace;
mod phases;
pub mod pki;
pub mod pod_network;
pub mod process;
pub mod prometheus;
pub mod reach;
pub mod registration;
pub mod run_dir;
pub mod service;
pub mod shell;
pub mod wait;
mod witness;
