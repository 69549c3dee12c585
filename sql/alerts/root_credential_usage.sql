/*
title: Root credentials used
description: >
  Somebody worked with the root user of an account. GuardDuty calls it Low, and in an organisation that keeps root locked away it
  is never routine. Once a day for each account.
severity: medium
group_by: [account_id]
count: findings
threshold: 1
window: 1h
suppress_for: 1d
tags: [attack.privilege-escalation, attack.t1078.004, attack.initial-access, guardduty]
false_positives:
  - The few tasks that need root, such as closing an account or changing the support plan; they come with a ticket.
  - An account that has just been made and is not yet handed over.
*/
SELECT *
FROM observations
WHERE type IN ('Policy:IAMUser/RootCredentialUsage', 'Policy:IAMUser/ShortTermRootCredentialUsage')
  AND NOT sample
