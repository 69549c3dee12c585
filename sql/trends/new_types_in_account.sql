/*
title: Types new to an account
description: >
  Which types of finding an account had for the first time ever in a period. Reads the whole history up to its end.
returns: >
  first_seen (event time of the first); account_id and its present account_name; type; findings of that type in that
  account since; severity (the highest of them).
*/
SELECT
    min(began) AS first_seen, account_id, account_name(account_id) AS account_name, type,
    count(*) AS findings, max(worst) AS severity
FROM (
    SELECT account_id, type, region, finding_id, min(event_time) AS began, max(severity) AS worst
    FROM findings
    WHERE
        event_time < $to AND ($samples OR NOT sample)
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
        AND type_matches($types, type) AND at_least($severity, severity)
    GROUP BY account_id, type, region, finding_id
)
GROUP BY account_id, type
HAVING min(began) >= $from
ORDER BY first_seen DESC, account_id, type
