/*
title: Regions
description: >
  Where findings are. A finding counts once.
parameters:
  - {name: from, type: timestamp, default: end - 30d, description: "first event time, included"}
  - {name: to, type: timestamp, default: end, description: "last event time, not included"}
  - {name: samples, type: boolean, default: "false", description: count sample findings too}
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
        WHERE event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
        GROUP BY region, account_id, finding_id
    )
    GROUP BY region, account_id
)
GROUP BY region
ORDER BY findings DESC, region
