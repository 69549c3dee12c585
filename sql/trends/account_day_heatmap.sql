/*
title: Heat map of accounts and days
description: >
  How many findings each account had on each day, and how severe the worst was. A finding counts once on every day on which one of its
  versions happened.
returns: >
  account_id and its present account_name; day (in tz); findings; severity (the highest). Days without findings are left out.
*/
SELECT
    account_id, account_name(account_id) AS account_name, day,
    count(*) AS findings, max(severity) AS severity
FROM (
    SELECT account_id, region, finding_id, day_in($tz, event_time) AS day, max(severity) AS severity
    FROM findings
    WHERE
        event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
        AND type_matches($types, type) AND at_least($severity, severity)
    GROUP BY account_id, region, finding_id, day
)
GROUP BY account_id, day
ORDER BY account_id, day
