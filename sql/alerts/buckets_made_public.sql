/*
title: Several buckets opened to the public
description: >
  Three buckets or more of one account were made public, or lost the block of public access, within an hour: a mistake in a
  template, or somebody who prepares to take the data.
severity: high
group_by: [account_id]
count: distinct(bucket_names)
threshold: 3
window: 1h
suppress_for: 6h
tags: [attack.exfiltration, attack.t1537, attack.defense-evasion, attack.t1562.007, guardduty]
false_positives:
  - The roll-out of public websites; leave their account out in the WHERE clause.
*/
SELECT *
FROM observations
WHERE type IN (
    'Policy:S3/BucketAnonymousAccessGranted', 'Policy:S3/BucketBlockPublicAccessDisabled',
    'Policy:S3/BucketPublicAccessGranted', 'Impact:S3/AnomalousBehavior.Permission'
  )
  AND NOT sample
