/*
title: Regions
description: >
  Where findings are. A finding counts once.
returns: >
  region; findings; high_or_critical (findings whose highest severity is 7 or more); accounts; last_seen (event time).
  Most findings first.
*/
SELECT
    region, sum(findings) AS findings, sum(high_or_critical) AS high_or_critical, count(*) AS accounts, max(last_seen) AS last_seen
FROM (
    SELECT
        region, account_id, count(*) AS findings,
        sum(CASE WHEN severity >= 7 THEN 1 ELSE 0 END) AS high_or_critical, max(last_seen) AS last_seen
    FROM (
        SELECT region, account_id, finding_id, max(severity) AS severity, max(event_time) AS last_seen
        FROM findings
        WHERE
            event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
            AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
            AND type_matches($types, type) AND at_least($severity, severity)
        GROUP BY region, account_id, finding_id
    )
    GROUP BY region, account_id
)
GROUP BY region
ORDER BY findings DESC, region
