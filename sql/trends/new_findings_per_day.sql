/*
title: New and active findings per day
description: >
  How many findings began on a day, beside how many were active (had a version that happened) on it. A finding begins
  at its created_at, or at its first event time where it has none.
returns: >
  day (in tz); new_findings; active_findings. Days without either are left out.
*/
WITH finding_days AS (
    SELECT day_in($tz, event_time) AS day, account_id, region, finding_id
    FROM findings
    WHERE
        event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
        AND type_matches($types, type) AND at_least($severity, severity)
    GROUP BY day, account_id, region, finding_id
),
beginnings AS (
    SELECT account_id, region, finding_id, coalesce(min(created_at), min(event_time)) AS began
    FROM findings
    WHERE
        ($samples OR NOT sample)
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
        AND type_matches($types, type) AND at_least($severity, severity)
    GROUP BY account_id, region, finding_id
),
counted AS (
    SELECT day, 0 AS new_findings, count(*) AS active_findings FROM finding_days GROUP BY day
    UNION ALL
    SELECT day_in($tz, began) AS day, count(*) AS new_findings, 0 AS active_findings
    FROM beginnings
    WHERE began >= $from AND began < $to
    GROUP BY day
)
SELECT day, sum(new_findings) AS new_findings, sum(active_findings) AS active_findings
FROM counted
GROUP BY day
ORDER BY day
