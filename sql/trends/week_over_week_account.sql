/*
title: Week over week, or any period over the one before, per account
description: >
  A period, by default the last seven days, beside the period of equal length before it. A finding counts once in each of the two in
  which one of its versions happened.
parameters:
  - {name: from, type: timestamp, default: end - 7d, description: "first event time of the later period, included"}
returns: >
  account_id and its present account_name; findings (in the later period); findings_before; change; change_percent (null
  where there was nothing before). The largest changes first.
*/
SELECT
    account_id, account_name(account_id) AS account_name,
    sum(later) AS findings,
    sum(earlier) AS findings_before,
    sum(later) - sum(earlier) AS change,
    round(100.0 * (sum(later) - sum(earlier)) / nullif(sum(earlier), 0), 1) AS change_percent
FROM (
    SELECT
        account_id, region, finding_id,
        max(CASE WHEN event_time >= $from THEN 1 ELSE 0 END) AS later,
        max(CASE WHEN event_time < $from THEN 1 ELSE 0 END) AS earlier
    FROM findings
    WHERE
        event_time >= $from - ($to - $from) AND event_time < $to AND ($samples OR NOT sample)
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
        AND type_matches($types, type) AND at_least($severity, severity)
    GROUP BY account_id, region, finding_id
)
GROUP BY account_id
ORDER BY abs(change) DESC, findings DESC, account_id
