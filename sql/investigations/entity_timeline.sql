/*
title: What happened around an entity
description: >
  Every version that names an address, instance, access key, principal, user, bucket or other resource, oldest first.
parameters:
  - {name: entity, type: text, description: "an address, instance, access key, principal, user, bucket or other resource, as findings write it"}
  - {name: from, type: timestamp, default: end - 90d, description: "first event time, included"}
  - {name: to, type: timestamp, default: end, description: "last event time, not included"}
  - {name: samples, type: boolean, default: "false", description: count sample findings too}
  - {name: limit, type: integer, default: "1000", description: how many rows}
returns: >
  event_time; account_id and the account_name of that time; region; type; severity_label; remote_ip (the first); user_name; api;
  resource_type; resource_id; count; finding_id.
*/
SELECT
    event_time, account_id, account_name, region, type, severity_label, remote_ip, user_name, api, resource_type, resource_id, count,
    finding_id
FROM versions
WHERE
    event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
    AND mentions(
        $entity, remote_ips, bucket_names, resource_id, instance_id, access_key_id, principal_id, user_name, cluster_name,
        db_instance, lambda_function, dns_domain
    )
ORDER BY event_time, account_id, region, finding_id, updated_at, count
LIMIT $limit
