/*
title: Occurrences per account and day
description: >
  How often something happened in which account on which day: the increases of count that the versions of that day
  brought. Reads the whole history of the findings, because the version before may lie before the period.
parameters:
  - {name: from, type: timestamp, default: end - 30d, description: "first event time, included"}
  - {name: to, type: timestamp, default: end, description: "last event time, not included"}
  - {name: samples, type: boolean, default: "false", description: count sample findings too}
returns: >
  day (UTC); account_id and its present account_name; occurrences; findings (those whose versions brought them).
*/
SELECT
    day, account_id, account_name(account_id) AS account_name,
    sum(occurrences) AS occurrences,
    count(*) AS findings
FROM (
    SELECT event_date AS day, account_id, region, finding_id, sum(increase) AS occurrences
    FROM occurrences
    WHERE event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
    GROUP BY event_date, account_id, region, finding_id
)
GROUP BY day, account_id
ORDER BY day, account_id
