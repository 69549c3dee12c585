/*
title: An account at a glance
description: >
  The findings of one account by type, as they stand.
parameters:
  - {name: account, type: text, description: the account's twelve digits}
  - {name: from, type: timestamp, default: end - 30d, description: "first event time, included"}
  - {name: to, type: timestamp, default: end, description: "last event time, not included"}
  - {name: samples, type: boolean, default: "false", description: count sample findings too}
returns: >
  type; findings; severity (the highest) and its label; regions; resources (how many of each); first_seen and
  last_seen (event times, in the period). Worst first.
*/
SELECT
    type, count(*) AS findings, max(severity) AS severity, severity_label(max(severity)) AS severity_label,
    count(DISTINCT region) AS regions, count(DISTINCT resource_id) AS resources,
    min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM (
    SELECT
        type, region, finding_id, max(severity) AS severity, max(resource_id) AS resource_id,
        min(event_time) AS first_seen, max(event_time) AS last_seen
    FROM findings
    WHERE account_id = $account AND event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
    GROUP BY type, region, finding_id
)
GROUP BY type
ORDER BY severity DESC NULLS LAST, findings DESC, type
