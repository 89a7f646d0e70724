//! The program `weir` as a person meets it: what it says, how it ends, what it leaves behind, and when it raises an alert.

mod alerts;
mod bad_input;
mod clock;
mod closed_output;
mod collector;
mod config_maps;
mod coverage;
mod doctor;
mod evidence;
mod help;
mod lifecycle;
mod metrics;
mod ocsf;
mod parquet;
mod policy;
mod privileges;
mod reload;
mod replay;
mod rules;
mod status;
mod timeline;
mod weir;
