/*
title: Where else a principal was
description: >
  From where and in which accounts a principal acted: its id, its user name or its access key, whichever is given.
parameters:
  - {name: principal, type: text, description: "principal id, user name or access key id"}
  - {name: from, type: timestamp, default: end - 90d, description: "first event time, included"}
  - {name: to, type: timestamp, default: end, description: "last event time, not included"}
  - {name: samples, type: boolean, default: "false", description: count sample findings too}
returns: >
  account_id and its present account_name; region; remote_ip (null where none is named); remote_country; findings; types (how many
  different ones); severity (the highest); first_seen and last_seen (event times). In the order of time.
*/
SELECT
    account_id, account_name(account_id) AS account_name, region, remote_ip, remote_country,
    count(*) AS findings, count(DISTINCT type) AS types, max(severity) AS severity,
    min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM (
    SELECT
        account_id, region, remote_ip, remote_country, finding_id, max(type) AS type, max(severity) AS severity,
        min(event_time) AS first_seen, max(event_time) AS last_seen
    FROM findings
    WHERE
        event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
        AND mentions($principal, principal_id, user_name, access_key_id)
    GROUP BY account_id, region, remote_ip, remote_country, finding_id
)
GROUP BY account_id, region, remote_ip, remote_country
ORDER BY first_seen, account_id, region, remote_ip, remote_country
