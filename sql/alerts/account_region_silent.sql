/*
title: An account and Region that no longer reports
description: >
  An account and Region that had eight findings or more within two weeks has had none for five days: its detector may have been
  switched off, suspended or removed from the administrator, or the delivery to the lake is broken. See its detector and
  member status; quiet alone proves nothing.
severity: medium
kind: absence
group_by: [account_id, region]
threshold: 8
lookback: 14d
window: 5d
tags: [attack.defense-evasion, attack.t1562.001, guardduty]
false_positives:
  - What set off the findings was repaired or taken away; holidays in accounts for development.
*/
SELECT *
FROM observations
WHERE NOT sample
