//! Receivers over HTTP that fail as real ones do: refuse for now, ask for patience, hang, and lose their answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;

/// What came in.
#[derive(Debug, Default)]
pub(super) struct Got {
    /// By `dedup_key`: how often it was triggered, and how often resolved.
    pub(super) incidents: BTreeMap<String, (usize, usize)>,
    /// By `webhook-id`: how often it came.
    pub(super) hooks: BTreeMap<String, usize>,
    /// By alert: how many different `webhook-id`s told of it.
    pub(super) hooked: BTreeMap<String, usize>,
    /// Messages of the chat.
    pub(super) chat: usize,
    /// By name: how often each fault was done.
    pub(super) faults: BTreeMap<&'static str, usize>,
}

/// One server for all kinds.
pub(super) struct Receiver {
    pub(super) address: String,
    pub(super) got: Arc<Mutex<Got>>,
}

struct Shared {
    got: Arc<Mutex<Got>>,
    requests: AtomicU64,
    faulty: bool,
}

impl Receiver {
    pub(super) async fn start(faulty: bool) -> Receiver {
        let got = Arc::new(Mutex::new(Got::default()));
        let shared = Arc::new(Shared {
            got: Arc::clone(&got),
            requests: AtomicU64::new(0),
            faulty,
        });
        let app = Router::new()
            .route("/v2/enqueue", post(pager))
            .route("/hook", post(hook))
            .route("/chat", post(chat))
            .with_state(shared);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Receiver { address, got }
    }

    pub(super) fn got(&self) -> std::sync::MutexGuard<'_, Got> {
        self.got.lock().expect("nobody panics with it")
    }
}

impl Shared {
    /// What goes wrong with this request before, and after, it is taken in.
    async fn fault(&self) -> (Option<Response>, bool) {
        if !self.faulty {
            return (None, false);
        }
        // A walk through the residues that is far from periodic in what matters.
        let nth = self
            .requests
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            >> 40;
        let count = |name: &'static str| {
            let mut got = self.got.lock().expect("nobody panics with it");
            *got.faults.entry(name).or_default() += 1;
        };
        match nth % 100 {
            0..12 => {
                count("503");
                (Some(StatusCode::SERVICE_UNAVAILABLE.into_response()), false)
            }
            12..16 => {
                count("429");
                let asked = [("retry-after", "1")];
                (
                    Some((StatusCode::TOO_MANY_REQUESTS, asked).into_response()),
                    false,
                )
            }
            16..18 => {
                count("hang");
                tokio::time::sleep(Duration::from_secs(3)).await;
                (None, false)
            }
            18..24 => {
                count("answer lost");
                (None, true)
            }
            _ => (None, false),
        }
    }
}

/// An answer that breaks off: the request was taken in, and nobody hears of it.
fn lost() -> Response {
    let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("reset")) });
    Body::from_stream(broken).into_response()
}

async fn pager(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let (refused, loses) = shared.fault().await;
    if let Some(refused) = refused {
        return refused;
    }
    let event: Value = serde_json::from_slice(&body).expect("JSON");
    let key = event["dedup_key"].as_str().expect("a key").to_owned();
    {
        let mut got = shared.got.lock().expect("nobody panics with it");
        let (triggers, resolves) = got.incidents.entry(key.clone()).or_default();
        match event["event_action"].as_str() {
            Some("trigger") => *triggers += 1,
            Some("resolve") => *resolves += 1,
            other => panic!("{other:?}"),
        }
    }
    if loses {
        return lost();
    }
    let said = format!("{{\"status\":\"success\",\"message\":\"ok\",\"dedup_key\":\"{key}\"}}");
    (StatusCode::ACCEPTED, said).into_response()
}

async fn hook(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let (refused, loses) = shared.fault().await;
    if let Some(refused) = refused {
        return refused;
    }
    let id = headers["webhook-id"].to_str().expect("text").to_owned();
    let event: Value = serde_json::from_slice(&body).expect("JSON");
    let alert = event["data"]["alert"]["alert_id"]
        .as_str()
        .expect("an alert");
    {
        let mut got = shared.got.lock().expect("nobody panics with it");
        let times = got.hooks.entry(id).or_default();
        *times += 1;
        if *times == 1 {
            *got.hooked.entry(alert.to_owned()).or_default() += 1;
        }
    }
    if loses {
        lost()
    } else {
        StatusCode::OK.into_response()
    }
}

async fn chat(State(shared): State<Arc<Shared>>) -> Response {
    let (refused, loses) = shared.fault().await;
    if let Some(refused) = refused {
        return refused;
    }
    shared.got.lock().expect("nobody panics with it").chat += 1;
    if loses { lost() } else { "ok".into_response() }
}
