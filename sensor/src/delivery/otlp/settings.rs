//! Where and how to send: the standard `OTEL_*` variables, then weir.yml, then the defaults of the OTLP exporter's specification.
//!
//! Two of its defaults are not taken: without an endpoint nothing is sent (a sensor that nobody pointed at a collector keeps to its
//! console), and no environment variable that is wrong is passed over with a warning: it is an error.

use super::config::{Part, Section};
use super::headers;
use http::HeaderMap;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Why delivery cannot be set up: one sentence with the mend. Says no value that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A variable or a key of the file.
    #[error("{from}: {reason}")]
    Value {
        /// Which: `OTEL_EXPORTER_OTLP_ENDPOINT`, or `otlp.logs.endpoint in FILE`.
        from: String,
        /// What is wrong, and the mend.
        reason: String,
    },
    /// A file that is named by one of them.
    #[error("{from} names {}, {reason}", path.display())]
    File {
        /// Which names it.
        from: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and the mend.
        reason: String,
    },
}

/// What is sent apart from the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Alerts, incidents, coverage records.
    Logs,
    /// Incidents.
    Traces,
    /// The sensor's health.
    Metrics,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Signal::Logs => "logs",
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
        }
    }
}

/// How to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf bodies.
    Http,
}

/// How to pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952).
    Gzip,
}

/// A file, and what named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The variable or key.
    pub from: String,
    /// The file.
    pub path: PathBuf,
}

/// What the body of a log record is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Body {
    /// A sentence.
    #[default]
    Sentence,
    /// A Detection Finding of OCSF (class 2004), as a map; of what has no such form, the sentence.
    Ocsf,
}

/// Where and how one signal is sent.
#[derive(Clone, Debug)]
pub struct Target {
    /// Scheme, host, port and, with HTTP, the path. Has no user and no password.
    pub endpoint: Uri,
    /// How.
    pub protocol: Protocol,
    /// Sensitive values: `Debug` does not show them.
    pub headers: HeaderMap,
    /// For a whole call.
    pub timeout: Duration,
    /// Of requests; answers may always be packed with gRPC.
    pub compression: Compression,
    /// The authorities that are trusted; the machine's if not given.
    pub authorities: Option<Named>,
    /// The sensor's own certificate and key.
    pub identity: Option<(Named, Named)>,
}

/// How everything is sent.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `None`: not sent.
    pub logs: Option<Target>,
    /// `None`: not sent.
    pub traces: Option<Target>,
    /// `None`: not sent.
    pub metrics: Option<Target>,
    /// Of log records.
    pub body: Body,
    /// Attributes of the sensor's resource, `service.name` among them if it was given.
    pub resource: BTreeMap<String, String>,
}

/// The timeout of the OTLP exporter's specification.
const TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT_MAX: u64 = 600_000;

impl Settings {
    /// From the variables that `environment` knows, and from the section of the file that errors call `file`.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn new(
        environment: impl Fn(&str) -> Option<String>,
        section: &Section,
        file: &str,
    ) -> Result<Settings, ConfigError> {
        let general = section.general();
        let given = Given { environment: &environment, general: &general, section, file };
        if given.flag("OTEL_SDK_DISABLED")? {
            return Ok(Settings::default());
        }
        Ok(Settings {
            logs: given.target(Signal::Logs)?,
            traces: given.target(Signal::Traces)?,
            metrics: given.target(Signal::Metrics)?,
            body: given.body()?,
            resource: given.resource()?,
        })
    }

    /// Whether no record is sent anywhere.
    pub fn is_empty(&self) -> bool {
        self.logs.is_none() && self.traces.is_none()
    }
}

struct Given<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    general: &'a Part,
    section: &'a Section,
    file: &'a str,
}

/// A value, and where it is from.
struct Value {
    from: String,
    value: String,
    /// It is for this signal alone.
    own: bool,
}

impl Value {
    fn wrong(&self, reason: impl Into<String>) -> ConfigError {
        ConfigError::Value { from: self.from.clone(), reason: reason.into() }
    }

    fn named(self) -> Named {
        Named { from: self.from, path: self.value.into() }
    }
}

impl Given<'_> {
    /// A variable; an empty one is as good as none (the specification of environment variables says so).
    fn variable(&self, name: &str, own: bool) -> Option<Value> {
        let value = (self.environment)(name).filter(|value| !value.trim().is_empty())?;
        Some(Value { from: name.to_owned(), value: value.trim().to_owned(), own })
    }

    fn flag(&self, name: &str) -> Result<bool, ConfigError> {
        self.variable(name, false).map_or(Ok(false), |value| truth(&value))
    }

    fn part(&self, signal: Signal) -> &Part {
        match signal {
            Signal::Logs => &self.section.logs,
            Signal::Traces => &self.section.traces,
            Signal::Metrics => &self.section.metrics,
        }
    }

    fn keys(&self, signal: Signal, key: &str) -> [String; 2] {
        [format!("otlp.{}.{key} in {}", signal.name(), self.file), format!("otlp.{key} in {}", self.file)]
    }

    fn find(&self, signal: Signal, key: &str) -> Option<Value> {
        let (upper, name) = (key.to_uppercase(), signal.name().to_uppercase());
        let [own, general] = self.keys(signal, key);
        let in_file = |part: &Part, from: String, own: bool| part.get(key).map(|value| Value { from, value, own });
        self.variable(&format!("OTEL_EXPORTER_OTLP_{name}_{upper}"), true)
            .or_else(|| self.variable(&format!("OTEL_EXPORTER_OTLP_{upper}"), false))
            .or_else(|| in_file(self.part(signal), own, true))
            .or_else(|| in_file(self.general, general, false))
    }

    fn target(&self, signal: Signal) -> Result<Option<Target>, ConfigError> {
        let exporter = self.variable(&format!("OTEL_{}_EXPORTER", signal.name().to_uppercase()), true);
        let [from, _] = self.keys(signal, "exporter");
        let in_file = self.part(signal).get("exporter").map(|value| Value { from, value, own: true });
        match exporter.or(in_file) {
            Some(value) if value.value == "none" => return Ok(None),
            Some(value) if value.value != "otlp" => {
                let reason = format!("`{}` is no exporter; it can be otlp or none", value.value.escape_debug());
                return Err(value.wrong(reason));
            }
            _ => {}
        }
        let Some(endpoint) = self.find(signal, "endpoint") else { return Ok(None) };
        let protocol = match self.find(signal, "protocol") {
            None => Protocol::Http,
            Some(value) => match value.value.as_str() {
                "grpc" => Protocol::Grpc,
                "http/protobuf" => Protocol::Http,
                "http/json" => {
                    return Err(value.wrong(
                        "http/json is not spoken here; write http/protobuf, which collectors take at the same port",
                    ));
                }
                other => {
                    return Err(
                        value.wrong(format!("`{}` is no protocol; write grpc or http/protobuf", other.escape_debug()))
                    );
                }
            },
        };
        let insecure = self.find(signal, "insecure").map_or(Ok(false), |value| truth(&value))?;
        let compression = match self.find(signal, "compression") {
            None => Compression::None,
            Some(value) => match value.value.as_str() {
                "none" => Compression::None,
                "gzip" => Compression::Gzip,
                other => {
                    return Err(
                        value.wrong(format!("`{}` is no compression; write gzip or none", other.escape_debug()))
                    );
                }
            },
        };
        Ok(Some(Target {
            endpoint: uri(&endpoint, signal, protocol, insecure)?,
            protocol,
            headers: self.headers(signal)?,
            timeout: self.timeout(signal)?,
            compression,
            authorities: self.find(signal, "certificate").map(Value::named),
            identity: self.identity(signal)?,
        }))
    }

    fn body(&self) -> Result<Body, ConfigError> {
        match self.section.body.as_deref() {
            None | Some("sentence") => Ok(Body::Sentence),
            Some("ocsf") => Ok(Body::Ocsf),
            Some(other) => Err(ConfigError::Value {
                from: format!("otlp.body in {}", self.file),
                reason: format!("`{}` is no body; write sentence or ocsf", other.escape_debug()),
            }),
        }
    }

    fn headers(&self, signal: Signal) -> Result<HeaderMap, ConfigError> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_HEADERS", signal.name().to_uppercase());
        let variable = self.variable(&own, true).or_else(|| self.variable("OTEL_EXPORTER_OTLP_HEADERS", false));
        if let Some(value) = variable {
            return headers::from_list(&value.value).map_err(|reason| value.wrong(reason));
        }
        let [own, general] = self.keys(signal, "headers");
        let part = self.part(signal);
        let (from, map) = if part.headers.is_empty() { (general, &self.general.headers) } else { (own, &part.headers) };
        headers::from_map(map).map_err(|reason| ConfigError::Value { from, reason })
    }

    fn timeout(&self, signal: Signal) -> Result<Duration, ConfigError> {
        let Some(value) = self.find(signal, "timeout") else { return Ok(TIMEOUT) };
        match value.value.parse() {
            Ok(milliseconds @ 1..=TIMEOUT_MAX) => Ok(Duration::from_millis(milliseconds)),
            _ => Err(value.wrong(format!("it has to be milliseconds, from 1 to {TIMEOUT_MAX}; 10000 is usual"))),
        }
    }

    fn identity(&self, signal: Signal) -> Result<Option<(Named, Named)>, ConfigError> {
        match (self.find(signal, "client_certificate"), self.find(signal, "client_key")) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some((certificate.named(), key.named()))),
            (Some(certificate), None) => Err(certificate.wrong("a certificate is of use only with its key; set client_key (OTEL_EXPORTER_OTLP_CLIENT_KEY) too")),
            (None, Some(key)) => Err(key.wrong("a key is of use only with its certificate; set client_certificate (OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE) too")),
        }
    }

    fn resource(&self) -> Result<BTreeMap<String, String>, ConfigError> {
        let mut resource = self.section.resource.clone();
        if let Some(name) = &self.section.service_name {
            resource.insert("service.name".to_owned(), name.clone());
        }
        if let Some(value) = self.variable("OTEL_RESOURCE_ATTRIBUTES", false) {
            resource.extend(headers::pairs(&value.value).map_err(|reason| value.wrong(reason))?);
        }
        if let Some(name) = self.variable("OTEL_SERVICE_NAME", false) {
            resource.insert("service.name".to_owned(), name.value);
        }
        Ok(resource)
    }
}

fn truth(value: &Value) -> Result<bool, ConfigError> {
    match value.value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(value.wrong("it can be true or false; write one of these")),
    }
}

/// The whole URL; what may be a secret in it is refused, because URLs are shown.
fn uri(value: &Value, signal: Signal, protocol: Protocol, insecure: bool) -> Result<Uri, ConfigError> {
    const EXAMPLE: &str = "write it like https://collector.example:4318";
    let text = match (value.value.contains("://"), protocol, insecure) {
        (true, _, _) => value.value.clone(),
        (false, Protocol::Grpc, true) => format!("http://{}", value.value),
        (false, Protocol::Grpc, false) => format!("https://{}", value.value),
        (false, Protocol::Http, _) => {
            return Err(value.wrong(format!("the endpoint has no http:// or https://; {EXAMPLE}")));
        }
    };
    let parts = text.parse::<Uri>().map(Uri::into_parts);
    let mut parts = parts.map_err(|error| value.wrong(format!("the endpoint is no URL ({error}); {EXAMPLE}")))?;
    match &parts.scheme {
        Some(scheme) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS => {}
        Some(scheme) => return Err(value.wrong(format!("the scheme `{scheme}` is not known; {EXAMPLE}"))),
        None => return Err(value.wrong(format!("the endpoint has no http:// or https://; {EXAMPLE}"))),
    }
    let authority = parts.authority.as_ref().map_or("", Authority::as_str);
    if authority.contains('@') {
        return Err(value.wrong("the endpoint holds a user or a password; put them into headers (authorization)"));
    }
    if authority.is_empty() || authority.starts_with(':') {
        return Err(value.wrong(format!("the endpoint names no host; {EXAMPLE}")));
    }
    let path = parts.path_and_query.as_ref().map_or("/", PathAndQuery::path);
    if parts.path_and_query.as_ref().is_some_and(|path| path.query().is_some()) {
        return Err(
            value.wrong("the endpoint has a query (after `?`), which would be shown in logs; put it into headers")
        );
    }
    // "Endpoint URLs for OTLP/HTTP": the general one is a base, the signal's own is used as it is.
    let path = match (protocol, value.own) {
        (Protocol::Grpc, _) => "/".to_owned(),
        (Protocol::Http, true) => path.to_owned(),
        (Protocol::Http, false) => format!("{}/v1/{}", path.trim_end_matches('/'), signal.name()),
    };
    parts.path_and_query = path.parse().ok();
    Uri::from_parts(parts).map_err(|error| value.wrong(format!("the endpoint is no URL ({error}); {EXAMPLE}")))
}
