//! How GuardDuty is set up in a Region: the detector, the organization's configuration, members, exports.

use super::{CallError, GuardDuty, refused};

/// The detector of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detector {
    /// `ENABLED` or `DISABLED`.
    pub status: String,
    /// How often updates of findings are published: `FIFTEEN_MINUTES`, `ONE_HOUR` or `SIX_HOURS`.
    pub frequency: String,
}

/// What the delegated administrator decides for the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Whose GuardDuty is switched on by itself: `ALL`, `NEW` or `NONE`.
    pub auto_enable: String,
    /// There are more accounts than one administrator may have.
    pub is_full: bool,
}

/// A member account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// 12 digits.
    pub account: String,
    /// `Enabled`, or why its findings do not come: `Removed`, `Disabled`, `Created`, ...
    pub status: String,
}

impl GuardDuty {
    /// How a detector is.
    pub async fn describe(&self, detector: &str) -> Result<Detector, CallError> {
        let call = self.client.get_detector().detector_id(detector).send();
        let said = call.await;
        let said = said.map_err(|error| refused("guardduty:GetDetector", &error))?;
        let (status, frequency) = (said.status(), said.finding_publishing_frequency());
        Ok(Detector {
            status: status.map_or("", |status| status.as_str()).to_owned(),
            frequency: frequency.map_or("", |every| every.as_str()).to_owned(),
        })
    }

    /// What is decided for the organization; `None` where this account does not decide it, which GuardDuty says by refusing the call as a
    /// bad request (API reference: DescribeOrganizationConfiguration).
    pub async fn organization(&self, detector: &str) -> Result<Option<Organization>, CallError> {
        let call = self.client.describe_organization_configuration();
        let said = match call.detector_id(detector).send().await {
            Ok(said) => said,
            Err(error) => {
                let error = refused("guardduty:DescribeOrganizationConfiguration", &error);
                return match error.code.as_deref() {
                    Some("BadRequestException") => Ok(None),
                    _ => Err(error),
                };
            }
        };
        let auto = said.auto_enable_organization_members();
        Ok(Some(Organization {
            auto_enable: auto.map_or("NONE", |auto| auto.as_str()).to_owned(),
            is_full: said.member_account_limit_reached().unwrap_or(false),
        }))
    }

    /// All accounts that are or were members.
    pub async fn members(&self, detector: &str) -> Result<Vec<Member>, CallError> {
        let call = self.client.list_members().detector_id(detector);
        let mut pages = call.only_associated("false").into_paginator().send();
        let mut members = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| refused("guardduty:ListMembers", &error))?;
            members.extend(page.members().iter().map(|member| Member {
                account: member.account_id().unwrap_or_default().to_owned(),
                status: member.relationship_status().unwrap_or_default().to_owned(),
            }));
        }
        Ok(members)
    }

    /// The states of the exports to S3: `PUBLISHING`, `PENDING_VERIFICATION`, `STOPPED`, ... None where nothing is exported.
    pub async fn exports(&self, detector: &str) -> Result<Vec<String>, CallError> {
        const CALL: &str = "guardduty:ListPublishingDestinations";
        let call = self.client.list_publishing_destinations();
        let mut pages = call.detector_id(detector).into_paginator().send();
        let mut states = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| refused(CALL, &error))?;
            let known = page.destinations().iter().filter_map(|one| one.status());
            states.extend(known.map(|status| status.as_str().to_owned()));
        }
        Ok(states)
    }
}
