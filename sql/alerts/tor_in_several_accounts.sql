/*
title: Tor in several accounts
description: >
  Three accounts or more show calls from Tor exits, or hosts that talk to Tor, within a day. Each alone is one finding; together
  they are one person who hides, or one image that does.
severity: high
group_by: []
count: distinct(account_id)
threshold: 3
window: 1d
suppress_for: 2d
tags: [attack.command-and-control, attack.t1090.003, attack.initial-access, guardduty]
false_positives:
  - Accounts of security research that use Tor on purpose; leave them out in the WHERE clause.
*/
SELECT *
FROM observations
WHERE threat_family IN ('TorIPCaller', 'TorClient', 'TorRelay')
  AND NOT sample
