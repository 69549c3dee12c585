/*
title: A type of finding that is new to its account
description: >
  An account shows a type of finding, Medium or worse, that it has not shown for 90 days, while it has shown others for two weeks or
  more: a change of what happens there, before it is many.
severity: medium
kind: new_terms
group_by: [account_id]
term: type
lookback: 90d
min_history: 14d
window: 1h
suppress_for: 1d
tags: [guardduty]
false_positives:
  - The day a protection plan is switched on, and new types that AWS introduces.
*/
SELECT *
FROM observations
WHERE severity >= 4
  AND type IS NOT NULL
  AND NOT sample
