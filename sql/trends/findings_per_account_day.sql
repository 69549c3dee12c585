/*
title: Findings per account and day
description: >
  Which accounts had findings on which day. A finding counts once on every day on which one of its versions happened.
returns: >
  day (in tz); account_id and its present account_name; findings (distinct account, Region and finding id); versions
  (published, in GuardDuty's own shapes).
*/
SELECT
    day, account_id, account_name(account_id) AS account_name,
    count(*) AS findings,
    sum(versions) AS versions
FROM (
    SELECT day_in($tz, event_time) AS day, account_id, region, finding_id, sum(CASE WHEN native THEN 1 ELSE 0 END) AS versions
    FROM versions
    WHERE
        event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
        AND type_matches($types, type) AND at_least($severity, severity)
    GROUP BY day, account_id, region, finding_id
)
GROUP BY day, account_id
ORDER BY day, account_id
