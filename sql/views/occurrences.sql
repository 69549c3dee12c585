/*
title: Occurrences
description: >
  How often something happened: the increase of count that each version brought. Summing it over any set of versions counts
  no occurrence twice, which summing count would.
returns: The columns that occurrences are counted by, and increase, never null.
*/
SELECT
    account_id, account_name, ou, region, finding_id, type, threat_purpose, severity, severity_label, resource_type, resource_id,
    action_type, sample, event_time, event_date, updated_at, count, increase, version_id
FROM versions
WHERE increase IS NOT NULL
