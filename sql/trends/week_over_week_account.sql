/*
title: Week over week per account
description: >
  The seven days before an end beside the seven days before them. A finding counts once in each week in which one of
  its versions happened.
parameters:
  - {name: to, type: timestamp, default: end, description: "end of the later week, not included"}
  - {name: samples, type: boolean, default: "false", description: count sample findings too}
returns: >
  account_id and its present account_name; findings (in the later week); findings_before; change; change_percent (null
  where there was nothing before). The largest changes first.
*/
SELECT
    account_id, account_name(account_id) AS account_name,
    sum(this_week) AS findings,
    sum(week_before) AS findings_before,
    sum(this_week) - sum(week_before) AS change,
    round(100.0 * (sum(this_week) - sum(week_before)) / nullif(sum(week_before), 0), 1) AS change_percent
FROM (
    SELECT
        account_id, region, finding_id,
        max(CASE WHEN event_time >= $to - INTERVAL '7 days' THEN 1 ELSE 0 END) AS this_week,
        max(CASE WHEN event_time < $to - INTERVAL '7 days' THEN 1 ELSE 0 END) AS week_before
    FROM findings
    WHERE event_time >= $to - INTERVAL '14 days' AND event_time < $to AND ($samples OR NOT sample)
    GROUP BY account_id, region, finding_id
)
GROUP BY account_id
ORDER BY abs(change) DESC, findings DESC, account_id
