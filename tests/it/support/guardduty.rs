//! A GuardDuty over HTTP, as its API reference has it: Regions by the signature, pages, criteria, 50 ids a call. What the reference does
//! not allow is refused. Beside it, what Account Management says of Regions.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Most that a page has, and most ids that a call takes.
const MOST: usize = 50;

/// A finding as it is sent, and what it is found by.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) id: String,
    pub(crate) account: String,
    /// UTC milliseconds.
    pub(crate) updated: i64,
    pub(crate) raw: String,
}

/// GuardDuty in one Region.
#[derive(Clone, Default)]
pub(crate) struct Region {
    /// `None` where it is off.
    pub(crate) detector: Option<String>,
    pub(crate) held: Vec<Held>,
    /// Ids that are listed and gone a moment later.
    pub(crate) lost: HashSet<String>,
    /// Operations that the caller may not call, or `*`.
    pub(crate) denied: HashSet<&'static str>,
    /// The account has not opted in to the Region: it is not listed, and does not know the key.
    pub(crate) closed: bool,
    /// Answers of other operations, by method and the end of the path: `GET` and `/admin`.
    pub(crate) answers: BTreeMap<(&'static str, &'static str), Value>,
    /// Rules of EventBridge's default bus: name, state, pattern and targets.
    pub(crate) rules: Vec<(&'static str, &'static str, &'static str, Vec<&'static str>)>,
}

#[derive(Default)]
struct State {
    regions: BTreeMap<String, Region>,
    /// Service and operation.
    calls: Vec<(String, String)>,
    /// Calls that are throttled before one is answered: of every so many, the first.
    throttle: Option<usize>,
    /// Answers of GetFindings that break off before one comes whole; every second one ends as if nothing were wrong.
    breaks: usize,
    /// After so many pages no page is answered any more.
    stalls_after: Option<usize>,
}

/// The server, for as long as its test runs.
#[derive(Clone)]
pub(crate) struct GuardDuty {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
}

impl GuardDuty {
    pub(crate) async fn start(regions: BTreeMap<String, Region>) -> GuardDuty {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let state = State {
            regions,
            ..State::default()
        };
        let state = Arc::new(Mutex::new(state));
        let heard = state.clone();
        let app = Router::new().fallback(
            move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
                let heard = heard.clone();
                async move { serve(&heard, &method, &uri, &headers, &body).await }
            },
        );
        tokio::spawn(async move { axum::serve(listener, app).await });
        GuardDuty { endpoint, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }

    pub(crate) fn change(&self, region: &str, change: impl FnOnce(&mut Region)) {
        change(self.state().regions.get_mut(region).expect("a Region"));
    }

    /// The first of every so many calls is refused as too many; 0 for none.
    pub(crate) fn throttle(&self, every: usize) {
        self.state().throttle = (every > 0).then_some(every);
    }

    /// What was asked, as IAM names it.
    pub(crate) fn asked(&self) -> BTreeSet<String> {
        let state = self.state();
        let names = state
            .calls
            .iter()
            .map(|(service, name)| format!("{service}:{name}"));
        names.collect()
    }

    /// So many bodies of GetFindings break off.
    pub(crate) fn break_off(&self, bodies: usize) {
        self.state().breaks = bodies;
    }

    /// No page is answered any more after so many.
    pub(crate) fn stall_after(&self, pages: usize) {
        self.state().stalls_after = Some(pages);
    }

    /// How often an operation was called, answered or not.
    pub(crate) fn calls(&self, operation: &str) -> usize {
        let state = self.state();
        state
            .calls
            .iter()
            .filter(|call| call.1 == operation)
            .count()
    }
}

/// Findings as GuardDuty holds them: of each the last version, as it came in an event.
pub(crate) fn held(documents: &[sample::Document]) -> BTreeMap<String, Vec<Held>> {
    #[derive(serde::Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        detail: &'a RawValue,
    }
    let mut last: BTreeMap<(String, String), (i64, Held)> = BTreeMap::new();
    for document in documents {
        let event: Event<'_> = serde_json::from_slice(&document.bytes).expect("an event");
        let raw = event.detail.get();
        let detail: Value = serde_json::from_str(raw).expect("JSON");
        let text = |name: &str| detail[name].as_str().expect("a text").to_owned();
        let updated = text("updatedAt").parse::<jiff::Timestamp>();
        let updated = updated.expect("a time").as_millisecond();
        let count = detail["service"]["count"].as_i64().expect("a count");
        let found = Held {
            id: text("id"),
            account: text("accountId"),
            updated,
            raw: raw.to_owned(),
        };
        let entry = last.entry((text("region"), found.id.clone()));
        let (known, kept) = entry.or_insert((count, found.clone()));
        if (kept.updated, *known) < (updated, count) {
            (*known, *kept) = (count, found);
        }
    }
    let mut regions: BTreeMap<String, Vec<Held>> = BTreeMap::new();
    for ((region, _), (_, found)) in last {
        regions.entry(region).or_default().push(found);
    }
    regions
}

async fn serve(
    state: &Mutex<State>,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let (service, region) = match signed_for(headers) {
        Some(scope) => scope,
        None => return refuse(403, "MissingAuthenticationTokenException", "not signed"),
    };
    let asked: Value = match body {
        [] => Value::Null,
        body => match serde_json::from_slice(body) {
            Ok(asked) => asked,
            Err(_) => return refuse(400, "BadRequestException", "the body is no JSON"),
        },
    };
    let stalled = {
        let mut state = state.lock().expect("nobody panics with it");
        let target = headers
            .get("x-amz-target")
            .and_then(|name| name.to_str().ok());
        let operation = match target.and_then(|target| target.split_once('.')) {
            Some((_, name)) => name.to_owned(),
            None => operation(method, uri.path()),
        };
        state.calls.push((service.clone(), operation.clone()));
        if let Some(every) = state.throttle
            && state.calls.len() % every == 1
        {
            return refuse(429, "TooManyRequestsException", "Rate exceeded");
        }
        let pages = state.calls.iter().filter(|call| call.1 == "GetFindings");
        let pages = pages.count();
        operation == "GetFindings" && state.stalls_after.is_some_and(|most| pages > most)
    };
    if stalled {
        std::future::pending::<()>().await;
    }
    let mut state = state.lock().expect("nobody panics with it");
    if service == "account" {
        return list_regions(&state, method, uri, &asked);
    }
    let Some(here) = state.regions.get(&region).cloned() else {
        return refuse(403, "UnrecognizedClientException", "no such Region");
    };
    if here.closed {
        let said = "The security token included in the request is invalid.";
        return refuse(403, "UnrecognizedClientException", said);
    }
    let target = headers
        .get("x-amz-target")
        .and_then(|name| name.to_str().ok());
    if let Some(target) = target.filter(|_| service == "events") {
        return events(&here, target, &asked);
    }
    let operation = operation(method, uri.path());
    if here.denied.contains("*") || here.denied.contains(operation.as_str()) {
        let said = format!("User: x is not authorized to perform: guardduty:{operation}");
        return refuse(403, "AccessDeniedException", &said);
    }
    if service != "guardduty" {
        return refuse(403, "AccessDeniedException", "signed for another service");
    }
    let cut =
        (operation == "GetFindings" && state.breaks > 0).then_some(state.breaks.is_multiple_of(2));
    state.breaks -= usize::from(cut.is_some());
    let answer = match operation.as_str() {
        "ListDetectors" => {
            let ids: Vec<&String> = here.detector.iter().collect();
            Ok(json!({ "detectorIds": ids }).to_string())
        }
        _ => match owned(&here, uri.path()) {
            None => Err("the input detectorId is not owned by the current account".to_owned()),
            Some(rest) => match (method.as_str(), rest) {
                ("POST", "/findings") => list(&here, &asked),
                ("POST", "/findings/get") => get(&here, &asked),
                (method, rest) => {
                    let found = (here.answers.iter())
                        .find(|((verb, path), _)| *verb == method && *path == rest);
                    match found {
                        Some((_, answer)) => Ok(answer.to_string()),
                        None => Err(format!("no answer to {method} {rest}")),
                    }
                }
            },
        },
    };
    let text = match answer {
        Ok(text) => text,
        Err(why) => return refuse(400, "BadRequestException", &why),
    };
    let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    let body = match cut {
        None => Body::from(text),
        Some(true) => Body::from(half),
        Some(false) => {
            let broken = std::io::Error::other("broken off by the test");
            Body::from_stream(futures::stream::iter([Ok(half), Err(broken)]))
        }
    };
    ([("content-type", "application/json")], body).into_response()
}

/// Service and Region of the credential's scope: `Credential=KEY/20261122/eu-west-1/guardduty/aws4_request`.
fn signed_for(headers: &HeaderMap) -> Option<(String, String)> {
    let signature = headers.get("authorization")?.to_str().ok()?;
    let scope = signature.strip_prefix("AWS4-HMAC-SHA256 Credential=")?;
    let mut parts = scope.split(',').next()?.split('/');
    let (region, service) = (parts.nth(2)?, parts.next()?);
    Some((service.to_owned(), region.to_owned()))
}

fn operation(method: &Method, path: &str) -> String {
    let of_detector = path.strip_prefix("/detector/").unwrap_or_default();
    let (_, rest) = of_detector.split_once('/').unwrap_or_default();
    match (method.as_str(), rest) {
        ("GET", "") if path == "/detector" => "ListDetectors",
        ("GET", "") => "GetDetector",
        ("POST", "findings") => "ListFindings",
        ("POST", "findings/get") => "GetFindings",
        ("GET", "admin") => "DescribeOrganizationConfiguration",
        ("GET", "member") => "ListMembers",
        ("GET", "publishingDestination") => "ListPublishingDestinations",
        _ if path == "/listRegions" => "ListRegions",
        _ => "unknown",
    }
    .to_owned()
}

/// What follows the detector in a path, when it is the detector of the Region.
fn owned<'a>(region: &Region, path: &'a str) -> Option<&'a str> {
    let detector = region.detector.as_deref()?;
    path.strip_prefix("/detector/")?.strip_prefix(detector)
}

fn refuse(status: u16, code: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    let headers = [
        ("x-amzn-errortype", code),
        ("content-type", "application/json"),
    ];
    let body = json!({ "message": message, "__type": code }).to_string();
    (status, headers, body).into_response()
}

fn list_regions(state: &State, method: &Method, uri: &Uri, asked: &Value) -> Response {
    if method != Method::POST || uri.path() != "/listRegions" {
        return refuse(404, "ResourceNotFoundException", "no such operation");
    }
    let wanted = &asked["RegionOptStatusContains"];
    let wanted: HashSet<&str> = (wanted.as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    if wanted != HashSet::from(["ENABLED", "ENABLED_BY_DEFAULT"]) {
        return refuse(400, "ValidationException", "which Regions?");
    }
    let open = |(name, region): (&String, &Region)| {
        (!region.closed)
            .then(|| json!({ "RegionName": name, "RegionOptStatus": "ENABLED_BY_DEFAULT" }))
    };
    // One a page.
    let all: Vec<Value> = state.regions.iter().filter_map(open).collect();
    let at: usize = match asked["NextToken"].as_str() {
        Some(token) => token.parse().expect("a token of ours"),
        None => 0,
    };
    let mut answer = json!({ "Regions": all.get(at).into_iter().collect::<Vec<_>>() });
    if at + 1 < all.len() {
        answer["NextToken"] = json!((at + 1).to_string());
    }
    ([("content-type", "application/json")], answer.to_string()).into_response()
}

/// EventBridge, one rule a page.
fn events(region: &Region, target: &str, asked: &Value) -> Response {
    let operation = target.strip_prefix("AWSEvents.").unwrap_or_default();
    if region.denied.contains("*") || region.denied.contains(operation) {
        let body = json!({ "__type": "AccessDeniedException", "message": "not authorized" });
        let headers = [("content-type", "application/x-amz-json-1.1")];
        return (StatusCode::BAD_REQUEST, headers, body.to_string()).into_response();
    }
    let answer = match operation {
        "ListRules" => {
            let at = asked["NextToken"]
                .as_str()
                .map_or(0, |token| token.parse::<usize>().expect("a token of ours"));
            let rules: Vec<Value> = (region.rules.iter().skip(at).take(1))
                .map(|(name, state, pattern, _)| {
                    json!({ "Name": name, "State": state, "EventPattern": pattern })
                })
                .collect();
            match at + 1 < region.rules.len() {
                true => json!({ "Rules": rules, "NextToken": (at + 1).to_string() }),
                false => json!({ "Rules": rules }),
            }
        }
        "ListTargetsByRule" => {
            let rule = (region.rules.iter()).find(|rule| asked["Rule"] == rule.0);
            let targets: Vec<Value> = (rule.iter().flat_map(|rule| &rule.3))
                .map(|arn| json!({ "Id": "1", "Arn": arn }))
                .collect();
            json!({ "Targets": targets })
        }
        _ => return refuse(400, "UnknownOperationException", operation),
    };
    let headers = [("content-type", "application/x-amz-json-1.1")];
    (headers, answer.to_string()).into_response()
}

/// An object that has these members at most.
fn only<'a>(
    value: &'a Value,
    names: &[&str],
) -> Result<&'a serde_json::Map<String, Value>, String> {
    let object = value.as_object().ok_or("not an object")?;
    match object.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => Err(format!("`{key}` is not known here")),
        None => Ok(object),
    }
}

fn list(region: &Region, asked: &Value) -> Result<String, String> {
    let members = ["findingCriteria", "sortCriteria", "maxResults", "nextToken"];
    let object = only(asked, &members)?;
    let most = match object.get("maxResults") {
        None => MOST,
        Some(most) => {
            let most = most.as_u64().ok_or("maxResults is no number")? as usize;
            (1..=MOST)
                .contains(&most)
                .then_some(most)
                .ok_or("maxResults is 1 to 50")?
        }
    };
    let mut found: Vec<&Held> = region.held.iter().collect();
    if let Some(criteria) = object.get("findingCriteria") {
        let criteria = only(criteria, &["criterion"])?;
        let criterion = criteria.get("criterion").ok_or("no criterion")?;
        for (field, condition) in only(criterion, &["updatedAt", "accountId"])? {
            match field.as_str() {
                "updatedAt" => {
                    let bounds = only(condition, &["greaterThanOrEqual", "lessThan"])?;
                    if bounds.values().any(|bound| bound.as_i64().is_none()) {
                        return Err("updatedAt is compared with milliseconds".to_owned());
                    }
                    let bound = |name: &str| bounds.get(name).and_then(Value::as_i64);
                    let from = bound("greaterThanOrEqual").unwrap_or(i64::MIN);
                    let to = bound("lessThan").unwrap_or(i64::MAX);
                    found.retain(|held| (from..to).contains(&held.updated));
                }
                _ => {
                    let equals = only(condition, &["equals"])?.get("equals");
                    let equals = equals.and_then(Value::as_array).ok_or("no list")?;
                    if equals.is_empty() || equals.len() > MOST {
                        return Err("equals takes 1 to 50 values".to_owned());
                    }
                    found.retain(|held| equals.contains(&json!(held.account)));
                }
            }
        }
    }
    if let Some(sort) = object.get("sortCriteria") {
        let sort = only(sort, &["attributeName", "orderBy"])?;
        if sort.get("attributeName") != Some(&json!("updatedAt")) {
            return Err("sorted by what?".to_owned());
        }
        found.sort_by_key(|held| held.updated);
        match sort.get("orderBy").and_then(Value::as_str) {
            Some("ASC") => {}
            Some("DESC") => found.reverse(),
            _ => return Err("orderBy is ASC or DESC".to_owned()),
        }
    }
    // A token belongs to its question.
    let question = json!([object.get("findingCriteria"), object.get("sortCriteria")]).to_string();
    let at = match object.get("nextToken") {
        None => 0,
        Some(token) => {
            let token = token.as_str().unwrap_or_default();
            let (at, of) = token
                .split_once(' ')
                .ok_or("nextToken is not one of ours")?;
            if of != question {
                return Err("nextToken belongs to another question".to_owned());
            }
            at.parse().map_err(|_| "nextToken is not one of ours")?
        }
    };
    let page: Vec<&str> = (found.iter().skip(at).take(most))
        .map(|held| held.id.as_str())
        .collect();
    let end = at + page.len();
    let next = match end < found.len() {
        true => format!("{end} {question}"),
        // An empty token is the end, too, as older answers have it.
        false => String::new(),
    };
    Ok(json!({ "findingIds": page, "nextToken": next }).to_string())
}

fn get(region: &Region, asked: &Value) -> Result<String, String> {
    let object = only(asked, &["findingIds", "sortCriteria"])?;
    let ids = object.get("findingIds").and_then(Value::as_array);
    let ids = ids.ok_or("findingIds are missing")?;
    if ids.is_empty() || ids.len() > MOST {
        return Err(format!("{} ids, 50 are the most", ids.len()));
    }
    let found = |id: &Value| {
        let id = id.as_str().filter(|id| !region.lost.contains(*id))?;
        region.held.iter().find(|held| held.id == id)
    };
    let raw: Vec<&str> = ids
        .iter()
        .filter_map(found)
        .map(|held| held.raw.as_str())
        .collect();
    Ok(format!("{{\"findings\":[{}]}}", raw.join(",")))
}
