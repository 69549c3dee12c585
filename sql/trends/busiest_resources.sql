/*
title: Resources with most findings
description: >
  Which instances, keys, buckets and clusters most findings are about. A finding counts once.
parameters:
  - {name: limit, type: integer, default: "20", description: how many rows}
returns: >
  resource_type; resource_id; account_id and its present account_name; region; findings; types (how many different
  ones); severity (the highest); last_seen (event time). Findings without a resource are left out.
*/
WITH per_finding AS (
    SELECT
        resource_type, resource_id, account_id, region, type, finding_id,
        max(severity) AS severity, max(event_time) AS last_seen
    FROM findings
    WHERE
        event_time >= $from AND event_time < $to AND ($samples OR NOT sample) AND resource_id IS NOT NULL
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
        AND type_matches($types, type) AND at_least($severity, severity)
    GROUP BY resource_type, resource_id, account_id, region, type, finding_id
),
per_type AS (
    SELECT
        resource_type, resource_id, account_id, region, type,
        count(*) AS findings, max(severity) AS severity, max(last_seen) AS last_seen
    FROM per_finding
    GROUP BY resource_type, resource_id, account_id, region, type
)
SELECT
    resource_type, resource_id, account_id, account_name(account_id) AS account_name, region,
    sum(findings) AS findings, count(*) AS types, max(severity) AS severity, max(last_seen) AS last_seen
FROM per_type
GROUP BY resource_type, resource_id, account_id, region
ORDER BY findings DESC, severity DESC, account_id, region, resource_type, resource_id
