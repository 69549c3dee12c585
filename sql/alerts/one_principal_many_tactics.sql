/*
title: One principal with many tactics
description: >
  One principal shows four different purposes of an attack within a day - discovery, persistence, privilege escalation, ... - in
  whatever order. GuardDuty rates most of these Medium or Low one by one.
severity: high
group_by: [account_id, principal_id]
count: distinct(threat_purpose)
threshold: 4
window: 1d
suppress_for: 1d
tags: [attack.discovery, attack.persistence, attack.privilege-escalation, attack.t1078.004, guardduty]
false_positives:
  - A new administrator, or a new pipeline, in the first days.
  - A penetration test.
*/
SELECT *
FROM observations
WHERE principal_id IS NOT NULL
  AND threat_purpose <> 'AttackSequence'
  AND NOT sample
