/*
title: Since when an entity is known
description: >
  When findings first and last named an address, instance, access key, principal, user, bucket or other resource, by type. Reads the
  whole history up to an end.
parameters:
  - {name: entity, type: text, description: "an address, instance, access key, principal, user, bucket or other resource, as findings write it"}
  - {name: to, type: timestamp, default: end, description: "last event time, not included"}
  - {name: samples, type: boolean, default: "false", description: count sample findings too}
returns: >
  type; first_seen and last_seen (event times); findings; accounts (how many); severity (the highest). Oldest first.
*/
SELECT
    type, min(first_seen) AS first_seen, max(last_seen) AS last_seen, sum(findings) AS findings, count(*) AS accounts,
    max(severity) AS severity
FROM (
    SELECT
        type, account_id, min(first_seen) AS first_seen, max(last_seen) AS last_seen, count(*) AS findings, max(severity) AS severity
    FROM (
        SELECT
            type, account_id, region, finding_id,
            min(event_time) AS first_seen, max(event_time) AS last_seen, max(severity) AS severity
        FROM findings
        WHERE
            event_time < $to AND ($samples OR NOT sample)
            AND mentions(
                $entity, remote_ips, bucket_names, resource_id, instance_id, access_key_id, principal_id, user_name, cluster_name,
                db_instance, lambda_function, dns_domain
            )
        GROUP BY type, account_id, region, finding_id
    )
    GROUP BY type, account_id
)
GROUP BY type
ORDER BY first_seen, type
