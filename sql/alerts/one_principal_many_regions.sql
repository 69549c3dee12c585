/*
title: One principal in many Regions
description: >
  The same principal sets off findings in four Regions or more within an hour. People work in one or two; whoever looks for a
  quiet place for miners, or for what there is, goes through all.
severity: high
group_by: [account_id, principal_id]
count: distinct(region)
threshold: 4
window: 1h
suppress_for: 12h
tags: [attack.defense-evasion, attack.t1535, attack.discovery, attack.t1580, guardduty]
false_positives:
  - Inventory, cost and audit tooling that walks through all Regions; leave its principal out in the WHERE clause.
*/
SELECT *
FROM observations
WHERE principal_id IS NOT NULL
  AND NOT sample
