//! `weir evidence export`

use crate::detection::{self, source};
use crate::evidence::DIRECTORY;
use crate::evidence::archive::{self, Attachment};
use crate::evidence::integrity::{Head, Key};
use crate::evidence::parquet;
use crate::evidence::place::Place;
use crate::evidence::store::Reader;
use crate::evidence::timeline::anchor::{Anchor, Limits, Question};
use crate::evidence::timeline::cut::cut;
use crate::evidence::timeline::format::{self, Format};
use crate::evidence::timeline::model::Timeline;
use crate::policy;
use clap::{Args, ValueEnum};
use std::error::Error;
use std::fs::File;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// The timeline in every form but the one that every archive has, and what the file is called.
const FORMS: [(&str, Format); 7] = [
    ("timeline.txt", Format::Terminal),
    ("timeline.jsonl", Format::Jsonl),
    ("timeline.timesketch.csv", Format::TimesketchCsv),
    ("timeline.timesketch.jsonl", Format::TimesketchJsonl),
    ("timeline.ocsf.jsonl", Format::Ocsf),
    ("timeline.stix.json", Format::Stix),
    ("timeline.html", Format::Html),
];

/// What is exported, and as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// All that is known of an incident, in one signed file
    Archive,
    /// All that is closed, for engines that ask many machines at once: DuckDB, ClickHouse, Spark, Trino
    Parquet,
}

/// Put all that is known of an incident into one signed file, or everything into Parquet
#[derive(Args)]
#[command(after_help = "\
Examples:
  weir evidence export --incident d2b56a12                  weir-d2b56a12....tar.zst, here
  weir evidence export --incident d2b56a12 --from /mnt/evidence --key mine.pem
  weir evidence export --format parquet -o /var/lib/weir/parquet
  weir evidence export --format parquet -o look --open      what is not closed yet, too

An archive has the timeline in all formats, the events of its processes and containers, what was told, coverage and gaps, what went into \
the sensor, and a signed manifest. `tar --zstd -xf` unpacks it, `weir evidence verify` checks it with the public key alone, and `weir \
timeline --from` and `weir replay` read it.

Parquet is of the segments that are closed, each exported once, however often it is asked for: events, alerts, incidents, coverage and \
gaps, as OUTPUT/TABLE/date=DAY/host=NAME/SEGMENT.parquet, whole or not there. `aws s3 sync OUTPUT s3://... --exclude '_*'` ships \
them. docs/evidence.md has the columns, and what to ask.")]
pub struct Export {
    /// As what
    #[arg(long, value_name = "FORMAT", default_value = "archive")]
    format: Form,

    /// The incident of an archive, by the beginning of its id
    #[arg(long, value_name = "ID")]
    incident: Option<String>,

    /// Where events are: the sensor's store, or a copy of it
    #[arg(long, value_name = "PLACE", default_value = DIRECTORY)]
    from: PathBuf,

    /// The file to write, which must not be there yet [default: weir-ID.tar.zst]; of Parquet, the directory to add to
    #[arg(long, short = 'o', value_name = "OUTPUT", required_if_eq("format", "parquet"))]
    output: Option<PathBuf>,

    /// Parquet of the segment that is still written, too, into an empty directory: to look at, not to be shipped
    #[arg(long)]
    open: bool,

    /// The private key to sign with [default: the store's own]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Rules that the sensor had beside the built-in ones: their files come along
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,

    /// The policy that the sensor had [default: /etc/weir/policy.yml, if it is there]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// The name of the machine that it is from
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
}

impl Export {
    pub fn execute(self) -> ExitCode {
        if let Some(refused) = self.refused() {
            super::super::complain(refused);
            return ExitCode::from(2);
        }
        let done = match self.format {
            Form::Archive => self.archive(),
            Form::Parquet => self.parquet(),
        };
        match done {
            Ok(said) => super::super::print(ExitCode::SUCCESS, |out| writeln!(out, "{said}")),
            Err(error) => super::super::fail(&*error),
        }
    }

    /// What does not go together.
    fn refused(&self) -> Option<&'static str> {
        let of_archive =
            self.incident.is_some() || self.key.is_some() || !self.rules.is_empty() || self.policy.is_some();
        match self.format {
            Form::Archive if self.incident.is_none() => Some(
                "an archive is of one incident: say which with --incident ID, or export everything with --format parquet",
            ),
            Form::Archive if self.open => {
                Some("--open is of --format parquet: an archive has the segment that is still written anyway")
            }
            Form::Parquet if of_archive => Some(
                "--incident, --key, --rules and --policy are of an archive: Parquet has whole segments, and their own signatures",
            ),
            _ => None,
        }
    }

    fn parquet(self) -> Result<String, Box<dyn Error>> {
        // The command line does not allow it to be missing.
        let output = self.output.as_deref().unwrap_or(Path::new("."));
        let options = parquet::Options { host: self.host.as_deref(), open: self.open };
        let report = parquet::export(&self.from, output, options)?;
        Ok(format!("{}: {report}", output.display()))
    }

    fn archive(self) -> Result<String, Box<dyn Error>> {
        let incident = self.incident.clone().unwrap_or_default();
        let key = Key::open(&self.key.clone().unwrap_or_else(|| self.from.join("key.ed25519")))?;
        let mut source = Place::of(std::slice::from_ref(&self.from)).open()?;
        let anchor = Anchor::Incident(incident.clone());
        let question = Question { anchor, since: 0, until: u64::MAX, limits: Limits::default() };
        let timeline = cut(source.as_mut(), &question, self.host.as_deref())?;
        let name = timeline.incident.clone().unwrap_or(incident);
        let output = self.output.clone().unwrap_or_else(|| format!("weir-{}.tar.zst", plain(&name)).into());
        let (mut notes, mut attachments) = (Vec::new(), forms(&timeline));
        self.settings(&mut attachments, &mut notes)?;
        self.store(&timeline, &mut attachments, &mut notes);
        let made = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?;
        let export = archive::Export { timeline: &timeline, made, host: self.host.as_deref(), notes, attachments };
        let manifest = archive::write(&output, source.as_mut(), export, &key)?;
        let files = manifest.files.len();
        Ok(format!("{}: {files} files, signed by {}", output.display(), key.public_key().fingerprint()))
    }

    /// Rules and policy.
    fn settings<'a>(&self, to: &mut Vec<Attachment<'a>>, notes: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
        let mut problems = Vec::new();
        for place in &self.rules {
            for file in source::read(place, &mut problems) {
                let below =
                    Path::new(&*file.name).strip_prefix(place).map_or(&*file.name, |name| name.to_str().unwrap_or("_"));
                to.push(Attachment::copied(&format!("rules/{below}"), Cursor::new(file.text)));
            }
        }
        if let Some(problem) = problems.first() {
            return Err(problem.to_string().into());
        }
        for file in detection::shipped() {
            // "weir:lists/shells.txt"
            let below = file.name.strip_prefix("weir:").unwrap_or(&file.name);
            to.push(Attachment::copied(&format!("rules/built-in/{below}"), Cursor::new(file.text)));
        }
        let weir = env!("CARGO_PKG_VERSION");
        notes.push(format!(
            "rules/built-in are those of weir {weir}, which made this; what each alert was decided by is in its security_rule.version"
        ));
        let policy = self.policy.as_deref().unwrap_or(Path::new(policy::FILE));
        match File::open(policy) {
            Ok(file) => to.push(Attachment::copied("policy.yml", file)),
            Err(error) if self.policy.is_some() => Err(format!("{} cannot be read: {error}", policy.display()))?,
            Err(_) => notes.push("policy.yml is not in it: none is known".to_owned()),
        }
        Ok(())
    }

    /// What went into the line, and what was signed of the segments that it is from.
    fn store<'a>(&self, timeline: &Timeline, to: &mut Vec<Attachment<'a>>, notes: &mut Vec<String>) {
        let reader = match Reader::open(&self.from) {
            Ok(reader) if self.from.is_dir() => reader,
            _ => return notes.push("raw.weir is not in it: it was not made from a store".to_owned()),
        };
        let (from, to_time) = (timeline.from.nanos, timeline.to.nanos);
        to.push(Attachment::copied("raw.weir", reader.raw_of(from, to_time)));
        for (number, path) in reader.segments_of(from, to_time) {
            match File::open(path.with_extension("sig")) {
                Ok(file) => to.push(Attachment::copied(&format!("segments/{number:010}.sig"), file)),
                Err(_) => notes.push(format!("segment {number}, that some of it is from, is not signed yet")),
            }
        }
        if let Ok(file) = File::open(self.from.join(Head::FILE)) {
            to.push(Attachment::copied("segments/head", file));
        }
    }
}

fn forms(timeline: &Timeline) -> Vec<Attachment<'_>> {
    let form = |(name, form): (&str, Format)| {
        Attachment::new(name, move |out| match form {
            // A file has no colours.
            Format::Terminal => {
                let mut text = Vec::new();
                format::write(timeline, form, &mut text)?;
                out.write_all(&anstream::adapter::strip_bytes(&text).into_vec())
            }
            form => format::write(timeline, form, out),
        })
    };
    FORMS.into_iter().map(form).collect()
}

/// An id that anybody gave, as part of a file's name.
fn plain(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect()
}
