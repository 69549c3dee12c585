/*
title: Remote addresses with most findings
description: >
  Which remote addresses show up in most findings, and how many accounts they touched. A finding counts once for every
  address that any of its versions names.
parameters:
  - {name: limit, type: integer, default: "20", description: how many rows}
returns: >
  remote_ip; private (never seen on the Internet); findings; versions; accounts; first_seen and last_seen (event
  times). Ties by address.
*/
WITH per_finding AS (
    SELECT
        remote_ip, account_id, region, finding_id,
        sum(CASE WHEN native THEN 1 ELSE 0 END) AS versions, min(event_time) AS first_seen, max(event_time) AS last_seen
    FROM observations
    WHERE
        event_time >= $from AND event_time < $to AND ($samples OR NOT sample) AND remote_ip IS NOT NULL
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
        AND type_matches($types, type) AND at_least($severity, severity)
    GROUP BY remote_ip, account_id, region, finding_id
),
per_account AS (
    SELECT
        remote_ip, account_id, count(*) AS findings,
        sum(versions) AS versions, min(first_seen) AS first_seen, max(last_seen) AS last_seen
    FROM per_finding
    GROUP BY remote_ip, account_id
)
SELECT
    remote_ip, ip_is_private(remote_ip) AS private,
    sum(findings) AS findings, sum(versions) AS versions, count(*) AS accounts,
    min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM per_account
GROUP BY remote_ip
ORDER BY findings DESC, accounts DESC, remote_ip
