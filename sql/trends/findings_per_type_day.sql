/*
title: Findings per type and day
description: >
  Which types of finding came on which day. A finding counts once on every day on which one of its versions happened.
returns: >
  day (in tz); type; findings (distinct account, Region and finding id); versions; accounts (how many had such a finding
  that day).
*/
WITH per_finding AS (
    SELECT day_in($tz, event_time) AS day, type, account_id, region, finding_id, sum(CASE WHEN native THEN 1 ELSE 0 END) AS versions
    FROM versions
    WHERE
        event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
        AND type_matches($types, type) AND at_least($severity, severity)
    GROUP BY day, type, account_id, region, finding_id
),
per_account AS (
    SELECT day, type, account_id, count(*) AS findings, sum(versions) AS versions
    FROM per_finding
    GROUP BY day, type, account_id
)
SELECT day, type, sum(findings) AS findings, sum(versions) AS versions, count(*) AS accounts
FROM per_account
GROUP BY day, type
ORDER BY day, type
