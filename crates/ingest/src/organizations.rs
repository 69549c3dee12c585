//! What AWS Organizations says of accounts: name, e-mail, organizational unit, and tags if they are asked for.
//!
//! The tree is walked from its roots down, which takes a call or two for each organizational unit and none for each account; tags take
//! one call an account (Organizations API reference: ListRoots, ListOrganizationalUnitsForParent, ListAccountsForParent,
//! ListTagsForResource). Calls that are throttled are made again by the SDK.

#[cfg(test)]
mod tests;

use aws_sdk_organizations::Client;
use aws_sdk_organizations::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use lake::AccountRow;

/// Why Organizations cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {why}")]
pub struct OrganizationsError {
    /// The call, as IAM names it: `organizations:ListRoots`.
    pub call: &'static str,
    /// A clause, with the remedy where it is known.
    pub why: String,
}

/// The tags that say who answers for an account, the first that is there.
const OWNERS: [&str; 4] = ["owner", "Owner", "team", "Team"];
/// Organizational units within each other; AWS allows five.
const DEEPEST: usize = 16;

/// All accounts of the organization, suspended ones too, by number. With `tags` their tags, and the owner that these name.
pub async fn accounts(client: &Client, tags: bool) -> Result<Vec<AccountRow>, OrganizationsError> {
    let mut rows = Vec::new();
    let mut waiting = Vec::new();
    let mut pages = client.list_roots().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| wrong("organizations:ListRoots", &error))?;
        for root in page.roots() {
            let name = root.name().unwrap_or("Root").to_owned();
            waiting.extend(root.id().map(|id| (id.to_owned(), name, 0)));
        }
    }
    while let Some((parent, path, depth)) = waiting.pop() {
        let call = "organizations:ListAccountsForParent";
        let accounts = client.list_accounts_for_parent().parent_id(&parent);
        let mut pages = accounts.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| wrong(call, &error))?;
            let named = (page.accounts().iter()).filter_map(|account| {
                Some(AccountRow {
                    account_id: account.id()?.to_owned(),
                    name: account.name().map(str::to_owned),
                    ou: Some(path.clone()),
                    owner: None,
                    email: account.email().map(str::to_owned),
                    tags: Vec::new(),
                    valid_from: 0,
                    valid_to: None,
                })
            });
            rows.extend(named);
        }
        if depth == DEEPEST {
            continue;
        }
        let call = "organizations:ListOrganizationalUnitsForParent";
        let units = client.list_organizational_units_for_parent();
        let mut pages = units.parent_id(&parent).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| wrong(call, &error))?;
            for unit in page.organizational_units() {
                if let (Some(id), Some(name)) = (unit.id(), unit.name()) {
                    waiting.push((id.to_owned(), format!("{path}/{name}"), depth + 1));
                }
            }
        }
    }
    if tags {
        for row in &mut rows {
            tag(client, row).await?;
        }
    }
    rows.sort_by(|a, b| a.account_id.cmp(&b.account_id));
    Ok(rows)
}

async fn tag(client: &Client, row: &mut AccountRow) -> Result<(), OrganizationsError> {
    let tags = client.list_tags_for_resource().resource_id(&row.account_id);
    let mut pages = tags.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| wrong("organizations:ListTagsForResource", &error))?;
        let pairs = page.tags().iter();
        (row.tags).extend(pairs.map(|tag| (tag.key().to_owned(), tag.value().to_owned())));
    }
    row.tags.sort();
    let value = |name: &&str| row.tags.iter().find(|(key, _)| key == name);
    let owner = OWNERS
        .iter()
        .find_map(value)
        .map(|(_, value)| value.clone());
    row.owner = owner.filter(|owner| !owner.is_empty());
    Ok(())
}

fn wrong<E, R>(call: &'static str, error: &SdkError<E, R>) -> OrganizationsError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let why = match error.code() {
        Some("AWSOrganizationsNotInUseException") => {
            "this account is in no organization; use `accounts import`".to_owned()
        }
        Some("AccessDeniedException") => format!(
            "not allowed: it takes the management account or a delegated administrator, and {call}"
        ),
        _ => DisplayErrorContext(error).to_string(),
    };
    OrganizationsError { call, why }
}
