/*
title: Same type of finding in many accounts
description: >
  Five accounts or more show the same type of finding within six hours: a campaign against the organisation, a stolen image
  or pipeline that runs everywhere, or a change that was rolled out to all.
severity: high
group_by: [type]
count: distinct(account_id)
threshold: 5
window: 6h
suppress_for: 1d
tags: [attack.execution, attack.t1072, attack.lateral-movement, guardduty]
false_positives:
  - Policy and Recon types that are common in large organisations; raise the threshold with the number of accounts.
  - A change by a central team that makes every account look alike, such as a new bucket policy.
*/
SELECT *
FROM observations
WHERE type IS NOT NULL
  AND NOT sample
