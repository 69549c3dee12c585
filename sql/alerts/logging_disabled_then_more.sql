/*
title: Logging switched off, then more by the same principal
description: >
  A principal switched logging or a protection off, and within a day does something else that GuardDuty reports at Medium or more.
  What it did in between may be in no log.
severity: critical
kind: sequence
group_by: [account_id, principal_id]
steps: [blinding, action]
window: 1d
suppress_for: 1d
tags: [attack.defense-evasion, attack.t1562.008, guardduty]
false_positives:
  - An administrator who rebuilds an account and looks unusual while doing so.
*/
SELECT
    *,
    CASE
        WHEN type IN (
            'Stealth:IAMUser/CloudTrailLoggingDisabled', 'Stealth:S3/ServerAccessLoggingDisabled',
            'DefenseEvasion:IAMUser/BedrockLoggingDisabled'
        ) OR threat_purpose = 'DefenseImpairment' THEN 'blinding'
        WHEN severity >= 4 THEN 'action'
    END AS step
FROM observations
WHERE principal_id IS NOT NULL
  AND NOT sample
