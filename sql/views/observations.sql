/*
title: Observations
description: >
  What alert rules measure: one row for every version and remote address, so that a finding that names five addresses counts
  for each of them.
returns: >
  All columns of versions, with remote_ip taken from remote_ips; one row with a null remote_ip where there is no address.
*/
SELECT
    * EXCEPT (remote_ip),
    unnest(CASE WHEN NOT empty(remote_ips) THEN remote_ips ELSE make_array(arrow_cast(NULL, 'Utf8')) END) AS remote_ip
FROM versions
