/*
title: Occurrences per account and day
description: >
  How often something happened in which account on which day: the increases of count that the versions of that day
  brought. Reads the whole history of the findings, because the version before may lie before the period.
returns: >
  day (in tz); account_id and its present account_name; occurrences; findings (those whose versions brought them).
*/
SELECT
    day, account_id, account_name(account_id) AS account_name,
    sum(occurrences) AS occurrences,
    count(*) AS findings
FROM (
    SELECT day_in($tz, event_time) AS day, account_id, region, finding_id, sum(increase) AS occurrences
    FROM occurrences
    WHERE
        event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
        AND type_matches($types, type) AND at_least($severity, severity)
    GROUP BY day, account_id, region, finding_id
)
GROUP BY day, account_id
ORDER BY day, account_id
