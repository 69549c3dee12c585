/*
title: Accounts reporting
description: >
  How many accounts had findings in a period, and how many are known but were silent: fewer than yesterday may mean that detectors
  or the way into the stream are off. `silent_accounts` names them.
parameters:
  - {name: from, type: timestamp, default: end - 1d, description: "first event time, included"}
  - {name: to, type: timestamp, default: end, description: "last event time, not included"}
  - {name: samples, type: boolean, default: "false", description: count sample findings too}
returns: >
  One row: reporting (accounts with a finding in the period); silent (accounts known by name that had none).
*/
WITH heard AS (
    SELECT DISTINCT account_id
    FROM findings
    WHERE event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
),
silent AS (
    SELECT account_id FROM accounts WHERE valid_to IS NULL OR valid_to > $from
    EXCEPT
    SELECT account_id FROM heard
)
SELECT (SELECT count(*) FROM heard) AS reporting, (SELECT count(*) FROM silent) AS silent
