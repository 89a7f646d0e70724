//! Variables, the file, and what is said of wrong ones.

use crate::delivery::otlp::{Compression, ConfigError, Exporter, Protocol, Section, Settings};
use std::time::Duration;

fn read(variables: &[(&str, &str)], yaml: &str) -> Result<Settings, ConfigError> {
    let section: Section = if yaml.is_empty() { Section::default() } else { yaml_serde::from_str(yaml).unwrap() };
    let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Settings::new(find, &section, "weir.yml")
}

fn wrong(variables: &[(&str, &str)]) -> String {
    read(variables, "").and_then(|settings| Exporter::new(&settings).map(drop)).unwrap_err().to_string()
}

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

#[test]
fn without_an_endpoint_nothing_is_sent_and_switched_off_neither() {
    assert!(read(&[], "").unwrap().is_empty());
    assert!(read(&[(ENDPOINT, " ")], "").unwrap().is_empty(), "an empty variable is none");
    assert!(read(&[(ENDPOINT, "http://c"), ("OTEL_SDK_DISABLED", "TRUE")], "").unwrap().is_empty());
    let settings = read(&[(ENDPOINT, "http://c"), ("OTEL_TRACES_EXPORTER", "none")], "").unwrap();
    assert!(settings.logs.is_some() && settings.traces.is_none());
}

#[test]
fn the_general_endpoint_is_a_base_and_the_signals_own_is_whole() {
    let own = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://logs.example/in");
    let settings = read(&[(ENDPOINT, "http://c:4318/base/"), own], "").unwrap();
    assert_eq!(settings.logs.unwrap().endpoint.to_string(), "https://logs.example/in");
    let traces = settings.traces.unwrap();
    assert_eq!(traces.endpoint.to_string(), "http://c:4318/base/v1/traces");
    assert_eq!((traces.protocol, traces.compression), (Protocol::Http, Compression::None));
    assert_eq!(traces.timeout, Duration::from_secs(10));
}

#[test]
fn grpc_needs_no_scheme_and_insecure_says_which() {
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let of = |insecure| {
        let variables = [(ENDPOINT, "c:4317"), grpc, ("OTEL_EXPORTER_OTLP_INSECURE", insecure)];
        read(&variables, "").unwrap().logs.unwrap().endpoint.to_string()
    };
    assert_eq!((of(""), of("true")), ("https://c:4317/".to_owned(), "http://c:4317/".to_owned()));
}

#[test]
fn the_environment_goes_before_the_file_and_a_signal_before_both() {
    let yaml = "{endpoint: 'http://file', timeout: 1, compression: gzip, traces: {timeout: 2}, headers: {a: b}}";
    let settings = read(&[(ENDPOINT, "http://env"), ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "3")], yaml).unwrap();
    let (logs, traces) = (settings.logs.unwrap(), settings.traces.unwrap());
    assert_eq!(logs.endpoint.host(), Some("env"));
    assert_eq!((logs.timeout.as_millis(), traces.timeout.as_millis()), (3, 2));
    assert_eq!((logs.compression, logs.headers["a"].to_str().unwrap()), (Compression::Gzip, "b"));
}

#[test]
fn headers_and_resource_attributes_are_percent_decoded() {
    let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hush, x-a = 1%2C2 ,");
    let resource = ("OTEL_RESOURCE_ATTRIBUTES", "k8s.cluster.name=east%201,service.name=x");
    let settings = read(&[(ENDPOINT, "http://c"), headers, resource, ("OTEL_SERVICE_NAME", "y")], "").unwrap();
    let logs = settings.logs.as_ref().unwrap();
    assert_eq!(logs.headers["authorization"], "Bearer hush");
    assert_eq!(logs.headers["x-a"], "1,2");
    assert_eq!((&*settings.resource["k8s.cluster.name"], &*settings.resource["service.name"]), ("east 1", "y"));
    assert!(!format!("{settings:?}").contains("hush"), "{settings:?}");
}

#[test]
fn what_is_wrong_is_one_sentence_with_the_mend_and_without_secrets() {
    let cases: [(&[(&str, &str)], &str); 13] = [
        (&[(ENDPOINT, "ftp://c")], "OTEL_EXPORTER_OTLP_ENDPOINT: the scheme `ftp` is not known; write it like"),
        (&[(ENDPOINT, "c:4318")], "OTEL_EXPORTER_OTLP_ENDPOINT: the endpoint has no http:// or https://; write"),
        (&[(ENDPOINT, "http://")], "OTEL_EXPORTER_OTLP_ENDPOINT: the endpoint is no URL"),
        (&[(ENDPOINT, "http://:4318")], "OTEL_EXPORTER_OTLP_ENDPOINT: the endpoint names no host; write"),
        (
            &[(ENDPOINT, "http://me:hush@c")],
            "OTEL_EXPORTER_OTLP_ENDPOINT: the endpoint holds a user or a password; put",
        ),
        (&[(ENDPOINT, "http://c?key=hush")], "OTEL_EXPORTER_OTLP_ENDPOINT: the endpoint has a query"),
        (
            &[(ENDPOINT, "http://c"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")],
            "OTEL_EXPORTER_OTLP_PROTOCOL: http/json is not",
        ),
        (
            &[(ENDPOINT, "http://c"), ("OTEL_EXPORTER_OTLP_HEADERS", "hush")],
            "OTEL_EXPORTER_OTLP_HEADERS: its entry 1 has no `=`",
        ),
        (
            &[(ENDPOINT, "http://c"), ("OTEL_EXPORTER_OTLP_HEADERS", "a=%0Ahush")],
            "OTEL_EXPORTER_OTLP_HEADERS: the value of `a`",
        ),
        (
            &[(ENDPOINT, "http://c"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")],
            "OTEL_EXPORTER_OTLP_TIMEOUT: it has to be milliseconds",
        ),
        (
            &[(ENDPOINT, "http://c"), ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd")],
            "OTEL_EXPORTER_OTLP_COMPRESSION: `zstd` is no compression",
        ),
        (
            &[(ENDPOINT, "http://c"), ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/k")],
            "OTEL_EXPORTER_OTLP_CLIENT_KEY: a key is of use only with",
        ),
        (
            &[(ENDPOINT, "https://c"), ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere")],
            "OTEL_EXPORTER_OTLP_CERTIFICATE names /nowhere, which cannot be read",
        ),
    ];
    for (variables, begins) in cases {
        let said = wrong(variables);
        assert!(said.starts_with(begins), "{said}");
        assert!(!said.contains("hush") && !said.contains('\n'), "{said}");
    }
    let said = read(&[], "{endpoint: 'gopher://c'}").unwrap_err().to_string();
    assert!(said.starts_with("otlp.endpoint in weir.yml: the scheme `gopher`"), "{said}");
}
