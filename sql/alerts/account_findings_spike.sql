/*
title: Far more findings than usual in an account
description: >
  An account shows twelve findings or more within a day, and at least five times the median of its days of the last four weeks. An
  account that is always loud does not ring, nor one that is known for less than ten days.
severity: high
kind: rate
group_by: [account_id]
count: findings
threshold: 12
window: 1d
baseline: 28d
factor: 5
min_history: 10d
suppress_for: 1d
tags: [attack.impact, attack.discovery, guardduty]
false_positives:
  - The day a protection plan is switched on, a load test, a penetration test.
*/
SELECT *
FROM observations
WHERE NOT sample
