/*
title: Logging or protection switched off
description: >
  CloudTrail, server access logs, Bedrock logs or another protection was switched off in an account. GuardDuty calls most of
  these Low; they come before what the logs would have shown.
severity: medium
group_by: [account_id]
count: findings
threshold: 1
window: 1h
suppress_for: 6h
tags: [attack.defense-evasion, attack.t1562.008, attack.t1562.001, guardduty]
false_positives:
  - A change of the log archive by the team that owns it; leave its role out in the WHERE clause.
  - Accounts that are taken apart before they are closed.
*/
SELECT *
FROM observations
WHERE (
    type IN (
        'Stealth:IAMUser/CloudTrailLoggingDisabled', 'Stealth:S3/ServerAccessLoggingDisabled',
        'DefenseEvasion:IAMUser/BedrockLoggingDisabled'
    )
    OR threat_purpose = 'DefenseImpairment'
  )
  AND NOT sample
