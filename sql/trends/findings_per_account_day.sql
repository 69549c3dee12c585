/*
title: Findings per account and day
description: >
  Which accounts had findings on which day. A finding counts once on every day on which one of its versions happened.
parameters:
  - {name: from, type: timestamp, default: end - 30d, description: "first event time, included"}
  - {name: to, type: timestamp, default: end, description: "last event time, not included"}
  - {name: samples, type: boolean, default: "false", description: count sample findings too}
returns: >
  day (UTC); account_id and its present account_name; findings (distinct account, Region and finding id); versions
  (published, in GuardDuty's own shapes).
*/
SELECT
    day, account_id, account_name(account_id) AS account_name,
    count(*) AS findings,
    sum(versions) AS versions
FROM (
    SELECT event_date AS day, account_id, region, finding_id, sum(CASE WHEN native THEN 1 ELSE 0 END) AS versions
    FROM versions
    WHERE event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
    GROUP BY event_date, account_id, region, finding_id
)
GROUP BY day, account_id
ORDER BY day, account_id
