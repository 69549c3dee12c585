/*
title: First Critical finding of an account
description: >
  The first finding of severity 9 or more that an account has shown for 90 days, attack sequences among them. Every one of the
  account within that time is part of the same alert.
severity: critical
group_by: [account_id]
count: findings
threshold: 1
window: 1d
suppress_for: 90d
tags: [attack.impact, guardduty]
false_positives:
  - A GuardDuty tester that runs in the account.
*/
SELECT *
FROM observations
WHERE severity >= 9
  AND NOT sample
