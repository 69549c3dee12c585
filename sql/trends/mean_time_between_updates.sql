/*
title: Mean time between updates
description: >
  How often GuardDuty publishes a finding again, per type: what the detector's publishing frequency comes to. Only
  versions in GuardDuty's own shapes, and findings that have two or more in the period.
returns: >
  type; findings (with two versions or more); updates (versions after the first); mean_seconds (from a version's
  updated_at to the next). Shortest first.
*/
SELECT type, count(*) AS findings, sum(updates) AS updates, sum(seconds) / sum(updates) AS mean_seconds
FROM (
    SELECT
        type, account_id, region, finding_id, count(*) - 1 AS updates,
        CAST(date_part('epoch', max(updated_at)) - date_part('epoch', min(updated_at)) AS DOUBLE) AS seconds
    FROM versions
    WHERE
        event_time >= $from AND event_time < $to AND ($samples OR NOT sample) AND native AND updated_at IS NOT NULL
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
        AND type_matches($types, type) AND at_least($severity, severity)
    GROUP BY type, account_id, region, finding_id
    HAVING count(*) > 1
)
GROUP BY type
ORDER BY mean_seconds, type
