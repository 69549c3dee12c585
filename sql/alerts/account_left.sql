/*
title: An account left the organisation
description: >
  The list of accounts says that an account is a member no longer. Its findings end with that, whatever goes on in it: see that the
  leaving was wanted. Needs the table of accounts; the alert is there for a week.
severity: low
kind: query
group_by: [account_id]
window: 7d
tags: [attack.defense-evasion, attack.t1562, guardduty]
false_positives:
  - Accounts that are closed as planned.
*/
SELECT account_id, name, ou, valid_to AS event_time
FROM accounts
WHERE valid_to <= $as_of
  AND valid_to > $as_of - INTERVAL '7 days'
