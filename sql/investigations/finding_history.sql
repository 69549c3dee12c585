/*
title: How a finding grew
description: >
  All published versions of one finding, oldest first.
parameters:
  - {name: finding, type: text, description: the finding's id}
returns: >
  updated_at; event_time; count and its increase; severity; remote_ip; archived; wire_shape; source; account_id;
  account_name; region; type.
*/
SELECT
    updated_at, event_time, count, increase, severity, remote_ip, archived, wire_shape, source, account_id, account_name, region, type
FROM versions
WHERE finding_id = $finding
ORDER BY account_id, region, updated_at NULLS FIRST, count, wire_shape, source, sequence_number, sub_sequence, item
