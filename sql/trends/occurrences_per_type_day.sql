/*
title: Occurrences per type and day
description: >
  How often what type of thing happened on which day: the increases of count that the versions of that day brought.
  Reads the whole history of the findings, because the version before may lie before the period.
parameters:
  - {name: from, type: timestamp, default: end - 30d, description: "first event time, included"}
  - {name: to, type: timestamp, default: end, description: "last event time, not included"}
  - {name: samples, type: boolean, default: "false", description: count sample findings too}
returns: >
  day (UTC); type; occurrences; findings (those whose versions brought them).
*/
SELECT day, type, sum(occurrences) AS occurrences, count(*) AS findings
FROM (
    SELECT event_date AS day, type, account_id, region, finding_id, sum(increase) AS occurrences
    FROM occurrences
    WHERE event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
    GROUP BY event_date, type, account_id, region, finding_id
)
GROUP BY day, type
ORDER BY day, type
