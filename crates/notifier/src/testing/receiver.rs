//! A receiver on this machine that answers as it is told and keeps what it was sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Response, Uri};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Text(u16, String),
    Json(u16, Value),
    /// With one more header.
    With(u16, &'static str, String, String),
    /// Never.
    Hang,
}

type Contract = Arc<dyn Fn(&Seen) -> Answer + Send + Sync>;

#[derive(Clone)]
struct Desk {
    seen: Arc<Mutex<Vec<Seen>>>,
    first: Arc<Mutex<VecDeque<Answer>>>,
    contract: Contract,
}

pub(crate) struct Receiver {
    /// `http://127.0.0.1:port`
    pub(crate) url: String,
    desk: Desk,
}

impl Seen {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Receiver {
    /// Answers as the contract says.
    pub(crate) async fn start(
        contract: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Receiver {
        let desk = Desk {
            seen: Arc::default(),
            first: Arc::default(),
            contract: Arc::new(contract),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::disable())
            .with_state(desk.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Receiver { url, desk }
    }

    /// Before the contract is asked again, answers this.
    pub(crate) fn first(&self, answer: Answer) {
        self.desk.first.lock().unwrap().push_back(answer);
    }

    /// What came since this was last asked.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.desk.seen.lock().unwrap())
    }
}

async fn answer(
    State(desk): State<Desk>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let seen = Seen {
        method,
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers,
        body,
    };
    let first = desk.first.lock().unwrap().pop_front();
    let answer = first.unwrap_or_else(|| (desk.contract)(&seen));
    desk.seen.lock().unwrap().push(seen);
    let response = |status: u16| Response::builder().status(status);
    let response = match answer {
        Answer::Text(status, text) => response(status).body(Body::from(text)),
        Answer::Json(status, value) => response(status).body(Body::from(value.to_string())),
        Answer::With(status, name, value, text) => {
            response(status).header(name, value).body(Body::from(text))
        }
        Answer::Hang => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            response(200).body(Body::empty())
        }
    };
    response.unwrap()
}

/// The address of somebody who reads a little and hangs up.
pub(crate) async fn resetting() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 16]).await;
        }
    });
    url
}

/// The address of somebody who never comes to an end.
pub(crate) async fn endless() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1_024]).await;
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
                .await;
            while stream.write_all(&[b'x'; 1_024]).await.is_ok() {}
        }
    });
    url
}
