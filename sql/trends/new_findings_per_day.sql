/*
title: New and active findings per day
description: >
  How many findings began on a day, beside how many were active (had a version that happened) on it. A finding begins
  at its created_at, or at its first event time where it has none.
parameters:
  - {name: from, type: timestamp, default: end - 30d, description: "first event time, included"}
  - {name: to, type: timestamp, default: end, description: "last event time, not included"}
  - {name: samples, type: boolean, default: "false", description: count sample findings too}
returns: >
  day (UTC); new_findings; active_findings. Days without either are left out.
*/
WITH finding_days AS (
    SELECT event_date AS day, account_id, region, finding_id
    FROM findings
    WHERE event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
    GROUP BY event_date, account_id, region, finding_id
),
beginnings AS (
    SELECT account_id, region, finding_id, coalesce(min(created_at), min(event_time)) AS began
    FROM findings
    WHERE $samples OR NOT sample
    GROUP BY account_id, region, finding_id
),
counted AS (
    SELECT day, 0 AS new_findings, count(*) AS active_findings FROM finding_days GROUP BY day
    UNION ALL
    SELECT CAST(began AS DATE) AS day, count(*) AS new_findings, 0 AS active_findings
    FROM beginnings
    WHERE began >= $from AND began < $to
    GROUP BY CAST(began AS DATE)
)
SELECT day, sum(new_findings) AS new_findings, sum(active_findings) AS active_findings
FROM counted
GROUP BY day
ORDER BY day
