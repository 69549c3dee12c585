/*
title: Accounts reporting
description: >
  How many accounts had findings in a period, and how many are known but were silent: fewer than yesterday may mean that detectors
  or the way into the stream are off. `silent_accounts` names them. The unit is that at the end of the period.
parameters:
  - {name: from, type: timestamp, default: end - 1d, description: "first event time, included"}
returns: >
  One row: reporting (accounts with a finding in the period); silent (accounts known by name that had none).
*/
WITH heard AS (
    SELECT DISTINCT account_id
    FROM findings
    WHERE
        event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, $to)
        AND type_matches($types, type) AND at_least($severity, severity)
),
silent AS (
    SELECT account_id
    FROM accounts
    WHERE (valid_to IS NULL OR valid_to > $from) AND in_list($accounts, account_id) AND in_ou($ou, account_id, $to)
    EXCEPT
    SELECT account_id FROM heard
)
SELECT (SELECT count(*) FROM heard) AS reporting, (SELECT count(*) FROM silent) AS silent
