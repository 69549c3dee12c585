/*
title: Silent accounts
description: >
  Accounts that are known by name or by earlier findings, and had no finding in a period, or none such as is asked
  for. Silence may be health, or a detector that is off: look at the member's status. The unit is that at the end of the period.
parameters:
  - {name: from, type: timestamp, default: end - 7d, description: "first event time, included"}
returns: >
  account_id and its present account_name; last_seen (event time of its last finding before the period, null where
  there never was one); days_silent (from then to the end of the period). Longest silence first.
*/
WITH heard AS (
    SELECT account_id, max(event_time) AS last_seen
    FROM findings
    WHERE
        event_time < $to AND ($samples OR NOT sample)
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, $to)
        AND type_matches($types, type) AND at_least($severity, severity)
    GROUP BY account_id
),
known AS (
    SELECT account_id FROM heard
    UNION
    SELECT account_id
    FROM accounts
    WHERE (valid_to IS NULL OR valid_to > $from) AND in_list($accounts, account_id) AND in_ou($ou, account_id, $to)
)
SELECT
    known.account_id, account_name(known.account_id) AS account_name, heard.last_seen,
    round((date_part('epoch', $to) - date_part('epoch', heard.last_seen)) / 86400.0, 1) AS days_silent
FROM known
LEFT JOIN heard ON heard.account_id = known.account_id
WHERE heard.last_seen IS NULL OR heard.last_seen < $from
ORDER BY heard.last_seen NULLS FIRST, known.account_id
