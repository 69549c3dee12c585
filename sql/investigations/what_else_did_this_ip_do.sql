/*
title: What else an address did
description: >
  What a remote address touched, where and how: one row for each kind of finding about each resource.
parameters:
  - {name: ip, type: text, description: the address}
  - {name: from, type: timestamp, default: end - 90d, description: "first event time, included"}
  - {name: to, type: timestamp, default: end, description: "last event time, not included"}
  - {name: samples, type: boolean, default: "false", description: count sample findings too}
  - {name: limit, type: integer, default: "1000", description: how many rows}
returns: >
  type; severity (the highest); account_id and its present account_name; region; resource_type; resource_id; user_name (the last by
  the alphabet); findings; first_seen and last_seen (event times). Worst first.
*/
SELECT
    type, max(severity) AS severity, account_id, account_name(account_id) AS account_name, region, resource_type, resource_id,
    max(user_name) AS user_name, count(*) AS findings, min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM (
    SELECT
        type, account_id, region, resource_type, resource_id, finding_id, max(user_name) AS user_name,
        max(severity) AS severity, min(event_time) AS first_seen, max(event_time) AS last_seen
    FROM findings
    WHERE event_time >= $from AND event_time < $to AND ($samples OR NOT sample) AND array_has(remote_ips, $ip)
    GROUP BY type, account_id, region, resource_type, resource_id, finding_id
)
GROUP BY type, account_id, region, resource_type, resource_id
ORDER BY severity DESC NULLS LAST, findings DESC, account_id, region, type, resource_type, resource_id
LIMIT $limit
