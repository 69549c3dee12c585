/*
title: How far an entity reached
description: >
  In which accounts and Regions findings name an address, instance, access key, principal, user, bucket or other resource, in the
  order in which it got there.
parameters:
  - {name: entity, type: text, description: "an address, instance, access key, principal, user, bucket or other resource, as findings write it"}
  - {name: from, type: timestamp, default: end - 90d, description: "first event time, included"}
  - {name: to, type: timestamp, default: end, description: "last event time, not included"}
  - {name: samples, type: boolean, default: "false", description: count sample findings too}
returns: >
  first_seen (event time); account_id and its present account_name; region; findings; types and resources (how many different ones);
  severity (the highest); last_seen.
*/
SELECT
    min(first_seen) AS first_seen, account_id, account_name(account_id) AS account_name, region,
    count(*) AS findings, count(DISTINCT type) AS types, count(DISTINCT resource_id) AS resources,
    max(severity) AS severity, max(last_seen) AS last_seen
FROM (
    SELECT
        account_id, region, finding_id, max(type) AS type, max(resource_id) AS resource_id,
        min(event_time) AS first_seen, max(event_time) AS last_seen, max(severity) AS severity
    FROM findings
    WHERE
        event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
        AND mentions(
            $entity, remote_ips, bucket_names, resource_id, instance_id, access_key_id, principal_id, user_name, cluster_name,
            db_instance, lambda_function, dns_domain
        )
    GROUP BY account_id, region, finding_id
)
GROUP BY account_id, region
ORDER BY first_seen, account_id, region
