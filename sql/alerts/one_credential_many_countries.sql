/*
title: One credential from many countries
description: >
  The same access key is used from three countries or more within twelve hours, each time in a way that GuardDuty reports.
  Nobody travels like that; a key that was published does.
severity: high
group_by: [account_id, access_key_id]
count: distinct(remote_country)
threshold: 3
window: 12h
suppress_for: 1d
tags: [attack.credential-access, attack.t1552.001, attack.initial-access, attack.t1078.004, guardduty]
false_positives:
  - A key that a content network or a service with exits in many countries uses.
*/
SELECT *
FROM observations
WHERE access_key_id IS NOT NULL
  AND action_type = 'AWS_API_CALL'
  AND NOT sample
