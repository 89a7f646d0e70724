//! `weir doctor`

use crate::agent::runtime::{self, Sockets, kube};
use crate::delivery::Format;
use crate::kernel::probe::{self, Finding, Report, State};
use anstyle::{AnsiColor, Style};
use clap::Args;
use clap::builder::FalseyValueParser;
use serde_json::json;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Say what this machine offers, what is missing, and what to do about it
#[derive(Args)]
#[command(after_help = "Exit status: 0 the sensor can run, 1 something that it needs is missing.")]
pub struct Doctor {
    /// How to write
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Look at this socket of a container runtime instead of the known ones
    #[arg(long, value_name = "PATH", env = "WEIR_RUNTIME_SOCKET", value_delimiter = ',')]
    runtime_socket: Vec<PathBuf>,

    /// See whether the API server of Kubernetes answers, as `weir run --kube` asks it
    #[arg(long, env = "WEIR_KUBE", value_parser = FalseyValueParser::new())]
    kube: bool,
}

impl Doctor {
    pub fn execute(self) -> ExitCode {
        let mut report = probe::probe();
        report.findings.push(runtime::finding(&Sockets::named(&self.runtime_socket)));
        if self.kube {
            report.findings.push(kube::finding(kube::Settings::new(|name| std::env::var(name).ok())));
        }
        let status = if report.worst() == State::Missing { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        super::print(status, |out| match self.format {
            Format::Text => text(&report, out),
            Format::Json => writeln!(out, "{}", object(&report)),
        })
    }
}

fn text(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let width = report.findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    for Finding { name, state, meaning, mend } in &report.findings {
        let style = style(*state);
        writeln!(out, "{style}{:<9}{style:#} {name:<width$}  {meaning}", state.name())?;
        if let Some(mend) = mend {
            writeln!(out, "{:10}{:width$}  {MEND}{mend}{MEND:#}", "", "")?;
        }
    }
    let style = style(report.worst());
    let verdict = match (report.count(State::Missing), report.count(State::Degraded)) {
        (0, 0) => "Weir can run here, and will see everything it can see.".to_owned(),
        (0, 1) => "Weir can run here; one thing could be better.".to_owned(),
        (0, degraded) => format!("Weir can run here; {degraded} things could be better."),
        (1, _) => "Weir cannot run here yet: one thing that it needs is missing.".to_owned(),
        (missing, _) => format!("Weir cannot run here yet: {missing} things that it needs are missing."),
    };
    writeln!(out, "\n{style}{verdict}{style:#}")
}

const MEND: Style = Style::new().italic();

fn style(state: State) -> Style {
    match state {
        State::Ok => AnsiColor::Green.on_default(),
        State::Unused => Style::new().dimmed(),
        State::Degraded => AnsiColor::Yellow.on_default(),
        State::Missing => AnsiColor::Red.on_default().bold(),
    }
}

fn object(report: &Report) -> serde_json::Value {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|f| json!({ "name": f.name, "state": f.state.name(), "meaning": f.meaning, "mend": f.mend }))
        .collect();
    json!({ "state": report.worst().name(), "findings": findings })
}
