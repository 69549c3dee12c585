/*
title: Data taken from several buckets
description: >
  One principal reads from three buckets or more within six hours in a way that GuardDuty calls exfiltration: somebody takes what
  there is, not what they need.
severity: critical
group_by: [account_id, principal_id]
count: distinct(bucket_names)
threshold: 3
window: 6h
suppress_for: 1d
tags: [attack.exfiltration, attack.t1530, attack.collection, guardduty]
false_positives:
  - The first run of a backup, a migration or a data catalogue that reads everything.
*/
SELECT *
FROM observations
WHERE principal_id IS NOT NULL
  AND type IN (
    'Exfiltration:S3/AnomalousBehavior', 'Exfiltration:S3/MaliciousIPCaller', 'UnauthorizedAccess:S3/TorIPCaller',
    'UnauthorizedAccess:S3/MaliciousIPCaller.Custom', 'Exfiltration:S3/TransferDataToCloudAccount'
  )
  AND NOT sample
