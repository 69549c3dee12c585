/*
title: What an address did
description: >
  Every version that names a remote address, oldest first: what it touched, where and when.
parameters:
  - {name: ip, type: text, description: the address}
  - {name: from, type: timestamp, default: end - 90d, description: "first event time, included"}
  - {name: to, type: timestamp, default: end, description: "last event time, not included"}
  - {name: limit, type: integer, default: "1000", description: how many rows}
returns: >
  event_time; account_id and the account_name of that time; region; type; severity_label; resource_type; resource_id;
  count; finding_id.
*/
SELECT
    event_time, account_id, account_name, region, type, severity_label, resource_type, resource_id, count, finding_id
FROM versions
WHERE event_time >= $from AND event_time < $to AND array_has(remote_ips, $ip)
ORDER BY event_time, account_id, region, finding_id, updated_at, count
LIMIT $limit
