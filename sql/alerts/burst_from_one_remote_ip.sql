/*
title: Many findings from one remote IP
description: >
  One remote address sets off GuardDuty again and again within minutes, in whatever account and Region. Updates of a
  finding do not count: ten different findings, not one that goes on.
severity: high
group_by: [remote_ip]
count: findings
threshold: 10
window: 10m
suppress_for: 1h
tags: [attack.reconnaissance, attack.t1595, attack.discovery, guardduty]
false_positives:
  - A vulnerability scanner or penetration test of your own; leave its addresses out in the WHERE clause.
  - The shared exit address of a company network, a VPN or a NAT gateway behind which many people work.
*/
SELECT *
FROM observations
WHERE remote_ip IS NOT NULL
  AND NOT sample
