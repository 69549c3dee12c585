//! Spans for an OpenTelemetry collector, over OTLP as protobuf in HTTP. Built with the feature `otel` only, and silent unless the standard
//! variables name a collector (OpenTelemetry specification, "OTLP Exporter Configuration").

use std::ffi::OsString;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

/// Where spans go; told to send the last of them before the process ends.
pub(crate) struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// To the collector that the environment names, or nowhere. Must be called outside the runtime: the exporter has a thread of its own.
    pub(crate) fn start() -> Traces {
        let wanted = is_wanted(|name| std::env::var_os(name));
        let exporter = || {
            SpanExporter::builder()
                .with_http()
                .with_protocol(Protocol::HttpBinary)
        };
        match wanted.then(|| exporter().build()) {
            Some(Ok(exporter)) => Traces::through(exporter),
            Some(Err(error)) => {
                crate::failure::note(&format!("warning: no traces are sent: {error}"));
                Traces(None)
            }
            None => Traces(None),
        }
    }

    fn through(exporter: SpanExporter) -> Traces {
        let mut resource = Resource::builder();
        // A name of the environment is stronger.
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("guardlake");
        }
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter);
        Traces(Some(provider.with_resource(resource.build()).build()))
    }

    /// What takes spans of level info and above, whatever is logged.
    pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(
        &self,
    ) -> Option<impl Layer<S> + use<S>> {
        let tracer = self.0.as_ref()?.tracer("guardlake");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        // What sends spans must not make some of its own.
        let own = EnvFilter::new(
            "off,alerts=info,guardlake=info,ingest=info,jobs=info,lake=info,notifier=info",
        );
        Some(layer.with_filter(own))
    }

    /// Sends what is held.
    pub(crate) fn end(self) {
        if let Some(Err(error)) = self.0.map(|provider| provider.shutdown()) {
            crate::failure::note(&format!("warning: the last traces were not sent: {error}"));
        }
    }
}

/// Whether somebody is named who takes spans, and nobody has switched them off.
fn is_wanted(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is =
        |name, value: &str| variable(name).is_some_and(|given| given.eq_ignore_ascii_case(value));
    let named = [
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ];
    let is_named = named
        .iter()
        .any(|name| variable(name).is_some_and(|value| !value.is_empty()));
    is_named && !is("OTEL_SDK_DISABLED", "true") && !is("OTEL_TRACES_EXPORTER", "none")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn the_standard_variables_decide() {
        let check = |given: &[(&str, &str)]| {
            let given = given.to_vec();
            is_wanted(|name| {
                given
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| (*value).into())
            })
        };
        let at = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        assert!(check(&[at]) && !check(&[]));
        assert!(
            !check(&[at, ("OTEL_SDK_DISABLED", "TRUE")])
                && !check(&[at, ("OTEL_TRACES_EXPORTER", "none")])
        );
    }

    #[test]
    fn a_span_comes_to_the_collector() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let receiver = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut got = Vec::new();
            let mut part = [0; 4_096];
            // The name of the span comes last of what is looked for.
            while !got.windows(10).any(|bytes| bytes == b"evaluation") {
                let read = stream.read(&mut part).unwrap();
                assert!(read > 0, "{}", String::from_utf8_lossy(&got));
                got.extend_from_slice(&part[..read]);
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .unwrap();
            String::from_utf8_lossy(&got).into_owned()
        });
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary);
        let traces = Traces::through(exporter.with_endpoint(endpoint).build().unwrap());
        let subscriber = tracing_subscriber::registry().with(traces.layer());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!(target: "jobs", "evaluation").in_scope(|| ());
        });
        traces.end();
        let got = receiver.join().unwrap();
        assert!(
            got.starts_with("POST /v1/traces ") && got.contains("application/x-protobuf"),
            "{got}"
        );
        assert!(got.contains("guardlake"), "{got}");
    }
}
