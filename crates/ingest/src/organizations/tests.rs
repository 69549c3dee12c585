//! An organization over HTTP, in pages.

use std::sync::{Arc, Mutex};

use aws_sdk_organizations::Client;
use aws_sdk_organizations::config::retry::RetryConfig;
use aws_sdk_organizations::config::{BehaviorVersion, Credentials, Region};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::accounts;

/// What is asked: operation, parent or resource, and token.
fn answer(operation: &str, asked: &Value) -> Option<Value> {
    let of = asked["ParentId"]
        .as_str()
        .or(asked["ResourceId"].as_str())
        .unwrap_or_default();
    let token = asked["NextToken"].as_str();
    let account = |id: &str, name: &str| json!({"Id": id, "Name": name, "Email": format!("{name}@example.com"), "Status": "ACTIVE"});
    Some(match (operation, of, token) {
        ("ListRoots", ..) => json!({"Roots": [{"Id": "r-1", "Name": "Root"}]}),
        ("ListAccountsForParent", "r-1", _) => {
            json!({"Accounts": [account("999900001111", "management")]})
        }
        // The first page may be empty and still not be the last.
        ("ListAccountsForParent", "ou-1", None) => json!({"Accounts": [], "NextToken": "2"}),
        ("ListAccountsForParent", "ou-1", Some("2")) => {
            json!({"Accounts": [account("444455556666", "b")], "NextToken": "3"})
        }
        ("ListAccountsForParent", "ou-1", Some("3")) => {
            json!({"Accounts": [account("111122223333", "a")]})
        }
        ("ListAccountsForParent", "ou-2", _) => json!({"Accounts": [account("222233334444", "c")]}),
        ("ListOrganizationalUnitsForParent", "r-1", _) => {
            json!({"OrganizationalUnits": [{"Id": "ou-1", "Name": "Production"}]})
        }
        ("ListOrganizationalUnitsForParent", "ou-1", _) => {
            json!({"OrganizationalUnits": [{"Id": "ou-2", "Name": "Payments"}]})
        }
        ("ListOrganizationalUnitsForParent", "ou-2", _) => json!({"OrganizationalUnits": []}),
        ("ListTagsForResource", "111122223333", _) => {
            json!({"Tags": [{"Key": "team", "Value": "blue"}, {"Key": "env", "Value": "prod"}]})
        }
        ("ListTagsForResource", ..) => json!({"Tags": []}),
        _ => return None,
    })
}

type Calls = Arc<Mutex<Vec<String>>>;

async fn organization(refused: Option<&'static str>) -> (Client, Calls) {
    let calls = Calls::default();
    let heard = Arc::clone(&calls);
    let app = Router::new().fallback(move |headers: HeaderMap, body: Bytes| {
        let heard = Arc::clone(&heard);
        async move { serve(&headers, &body, refused, &heard) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let config = aws_sdk_organizations::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("a", "b", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(format!("http://{address}"))
        .build();
    (Client::from_conf(config), calls)
}

fn serve(headers: &HeaderMap, body: &[u8], refused: Option<&str>, calls: &Calls) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap();
    let operation = target.strip_prefix("AWSOrganizationsV20161128.").unwrap();
    calls.lock().unwrap().push(operation.to_owned());
    if let Some(code) = refused {
        return (
            StatusCode::BAD_REQUEST,
            json!({"__type": code, "message": "no"}).to_string(),
        )
            .into_response();
    }
    let asked: Value = serde_json::from_slice(body).unwrap();
    match answer(operation, &asked) {
        Some(answer) => answer.to_string().into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[tokio::test]
async fn all_accounts_with_the_paths_of_their_units() {
    let (client, calls) = organization(None).await;
    let rows = accounts(&client, false).await.unwrap();
    let found: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.account_id.as_str(),
                row.name.as_deref().unwrap(),
                row.ou.as_deref().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("111122223333", "a", "Root/Production"),
            ("222233334444", "c", "Root/Production/Payments"),
            ("444455556666", "b", "Root/Production"),
            ("999900001111", "management", "Root"),
        ]
    );
    assert!(
        !calls
            .lock()
            .unwrap()
            .contains(&"ListTagsForResource".to_owned())
    );
    let rows = accounts(&client, true).await.unwrap();
    assert_eq!(rows[0].owner.as_deref(), Some("blue"));
    assert_eq!(
        rows[0].tags,
        [
            ("env".into(), "prod".into()),
            ("team".into(), "blue".into())
        ]
    );
    assert_eq!(rows[1].owner, None);
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let (client, _) = organization(Some("AccessDeniedException")).await;
    let error = accounts(&client, false).await.unwrap_err().to_string();
    assert!(
        error.contains("organizations:ListRoots") && error.contains("delegated administrator"),
        "{error}"
    );
    let (client, _) = organization(Some("AWSOrganizationsNotInUseException")).await;
    let error = accounts(&client, false).await.unwrap_err().to_string();
    assert!(error.contains("accounts import"), "{error}");
}
