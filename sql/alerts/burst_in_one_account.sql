/*
title: Burst of findings in one account
description: >
  Thirty different findings in one account within half an hour, of whatever type and Region: an account that is being taken
  apart, or a workload that has gone wild.
severity: high
group_by: [account_id]
count: findings
threshold: 30
window: 30m
suppress_for: 2h
tags: [attack.impact, attack.discovery, guardduty]
false_positives:
  - A GuardDuty tester or a penetration test that runs in the account.
  - The day a protection plan is switched on in an account that never had it.
*/
SELECT *
FROM observations
WHERE NOT sample
