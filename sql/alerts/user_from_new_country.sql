/*
title: A user from a country not seen before
description: >
  A user whose calls GuardDuty reports comes from a country that it has not shown for 60 days, while it has been known for a week
  or more. A user without a history does not ring.
severity: medium
kind: new_terms
group_by: [account_id, user_name]
term: remote_country
lookback: 60d
min_history: 7d
window: 1h
suppress_for: 1d
tags: [attack.initial-access, attack.t1078.004, guardduty]
false_positives:
  - People who travel, and addresses whose country is told differently from month to month.
*/
SELECT *
FROM observations
WHERE user_name IS NOT NULL
  AND remote_country IS NOT NULL
  AND action_type = 'AWS_API_CALL'
  AND NOT sample
