/*
title: Several hosts look up one bad domain
description: >
  Three instances or more ask for the same domain that GuardDuty knows as command and control, malware, mining or a drop point,
  within six hours: one campaign rather than one infected machine.
severity: critical
group_by: [dns_domain]
count: distinct(instance_id)
threshold: 3
window: 6h
suppress_for: 1d
tags: [attack.command-and-control, attack.t1071.004, attack.t1568, guardduty]
false_positives:
  - A resolver or proxy that asks for others; GuardDuty then names it instead of them, and it is one instance.
  - A dependency of your own that has got a bad name; see what the domain is.
*/
SELECT *
FROM observations
WHERE dns_domain IS NOT NULL
  AND instance_id IS NOT NULL
  AND severity >= 4
  AND NOT sample
