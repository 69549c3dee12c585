/*
title: New High or Critical finding
description: >
  A finding of severity 7 or more, once. GuardDuty publishes a finding again with every update; grouping by the finding and
  a suppression of 90 days, for which GuardDuty keeps a finding, make all its updates one episode, so that only the first
  version at this severity rings. A finding that starts lower rings when it first reaches 7.
severity: high
group_by: [account_id, region, finding_id]
count: findings
threshold: 1
window: 1d
suppress_for: 90d
tags: [guardduty]
false_positives:
  - Findings that a suppression rule in GuardDuty should have archived; GuardDuty does not send those it archives itself.
*/
SELECT *
FROM observations
WHERE severity >= 7
  AND NOT sample
