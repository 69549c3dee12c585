/*
title: Types seen for the first time
description: >
  Which types of finding an account had for the first time ever in a period. Reads the whole history up to its end.
returns: >
  account_id and its present account_name; type; first_seen (event time of the first); findings (with it, in the period). Latest first.
*/
SELECT account_id, account_name(account_id) AS account_name, type, min(began) AS first_seen, count(*) AS findings
FROM (
    SELECT account_id, type, region, finding_id, min(event_time) AS began
    FROM findings
    WHERE
        event_time < $to AND ($samples OR NOT sample) AND type IS NOT NULL
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
        AND type_matches($types, type) AND at_least($severity, severity)
    GROUP BY account_id, type, region, finding_id
)
GROUP BY account_id, type
HAVING min(began) >= $from
ORDER BY first_seen DESC, account_id, type
