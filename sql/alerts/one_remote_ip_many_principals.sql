/*
title: One remote IP with many principals
description: >
  One remote address calls AWS as three principals or more within an hour, each time in a way that GuardDuty reports: several sets
  of stolen credentials in one hand.
severity: high
group_by: [remote_ip]
count: distinct(principal_id)
threshold: 3
window: 1h
suppress_for: 6h
tags: [attack.credential-access, attack.t1078.004, attack.initial-access, guardduty]
false_positives:
  - The shared exit address of an office or a VPN, after a change that makes many people look unusual at once.
*/
SELECT *
FROM observations
WHERE remote_ip IS NOT NULL
  AND action_type = 'AWS_API_CALL'
  AND NOT sample
