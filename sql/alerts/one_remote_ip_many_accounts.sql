/*
title: One remote IP in many accounts
description: >
  The same remote address turns up in the findings of five accounts or more within an hour: somebody walks through the
  organisation, or holds credentials for many of its accounts.
severity: critical
group_by: [remote_ip]
count: distinct(account_id)
threshold: 5
window: 1h
suppress_for: 6h
tags: [attack.initial-access, attack.t1078.004, attack.lateral-movement, guardduty]
false_positives:
  - Internet-wide scanners that probe every public address; severity stays Low for those, so a `severity >= 4` quiets them.
  - The address of your own deployment or audit tooling that works in all accounts.
*/
SELECT *
FROM observations
WHERE remote_ip IS NOT NULL
  AND NOT sample
