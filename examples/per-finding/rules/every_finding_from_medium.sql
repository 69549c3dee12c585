/*
title: GuardDuty finding
description: >
  Each new finding from medium severity on, once: later versions of it make its alert grow and are not told again, unless its
  severity rises or it goes on ten times as often.
severity: medium
group_by: [type, account_id, region, finding_id]
count: findings
threshold: 1
window: 1h
suppress_for: 90d
tags: [every-finding]
false_positives: [whatever GuardDuty itself takes for suspicious and is not]
*/
SELECT *
FROM findings
WHERE severity >= 4 AND NOT sample
