/*
title: An entity beside its usual
description: >
  The findings about an entity in a period, by default the last day, beside those of the eight weeks before it.
parameters:
  - {name: entity, type: text, description: "an address, instance, access key, principal, user, bucket or other resource, as findings write it"}
  - {name: from, type: timestamp, default: end - 1d, description: "first event time, included"}
  - {name: to, type: timestamp, default: end, description: "last event time, not included"}
  - {name: samples, type: boolean, default: "false", description: count sample findings too}
returns: >
  type; findings (in the period); findings_before (in the 56 days before); usual (findings_before for as long as the period is); first_seen
  and last_seen (event times, in all these days). What there never was before comes first.
*/
SELECT
    type, sum(now_there) AS findings, sum(there_before) AS findings_before,
    round(sum(there_before) * (date_part('epoch', $to) - date_part('epoch', $from)) / (56 * 86400), 2) AS usual,
    min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM (
    SELECT
        type, account_id, region, finding_id,
        max(CASE WHEN event_time >= $from THEN 1 ELSE 0 END) AS now_there,
        max(CASE WHEN event_time < $from THEN 1 ELSE 0 END) AS there_before,
        min(event_time) AS first_seen, max(event_time) AS last_seen
    FROM findings
    WHERE
        event_time >= $from - INTERVAL '56 days' AND event_time < $to AND ($samples OR NOT sample)
        AND mentions(
            $entity, remote_ips, bucket_names, resource_id, instance_id, access_key_id, principal_id, user_name, cluster_name,
            db_instance, lambda_function, dns_domain
        )
    GROUP BY type, account_id, region, finding_id
)
GROUP BY type
ORDER BY findings_before > 0, findings DESC, type
