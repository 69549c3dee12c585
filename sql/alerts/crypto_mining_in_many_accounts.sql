/*
title: Crypto mining in several accounts
description: >
  Miners in three accounts or more within a day, whatever GuardDuty calls them: on instances, in containers, in functions, seen
  by traffic, by name lookups or by the process. One stolen key or image that reaches many accounts, paid for by you.
severity: critical
group_by: []
count: distinct(account_id)
threshold: 3
window: 1d
suppress_for: 2d
tags: [attack.impact, attack.t1496, guardduty]
false_positives:
  - Research or training accounts that look at blockchains on purpose; leave them out in the WHERE clause.
*/
SELECT *
FROM observations
WHERE (
    threat_purpose = 'CryptoCurrency'
    OR threat_family IN ('BitcoinDomainRequest', 'CryptoMinerExecuted')
  )
  AND NOT sample
