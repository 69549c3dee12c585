/*
title: Reopened alerts
description: >
  Alerts opened in the period that were closed and came back before its end: closed too early, or never mended.
returns: >
  alert_id; rule; severity; reopened (how many times); last_reopened; "group" (JSON). Most often first.
*/
SELECT alert_id, rule, severity, reopened, last_reopened, "group"
FROM (
    SELECT
        alert_id,
        last_value(event ORDER BY seq) FILTER (WHERE event NOT IN ('grew', 'escalated')) AS state,
        count(*) FILTER (WHERE event = 'reopened') AS reopened,
        max(at) FILTER (WHERE event = 'reopened') AS last_reopened,
        last_value("group" ORDER BY seq) AS "group",
        last_value(rule ORDER BY seq) AS rule,
        last_value(severity ORDER BY seq) AS severity,
        last_value(accounts ORDER BY seq) AS accounts,
        last_value(types ORDER BY seq) AS types,
        min(at) AS opened_at
    FROM alert_log
    WHERE at < $to
    GROUP BY alert_id
)
WHERE
    reopened > 0
    AND opened_at >= $from AND state <> 'merged'
    AND in_list($accounts, accounts) AND in_ou($ou, accounts, opened_at)
    AND type_matches($types, types) AND at_least($severity, severity)
ORDER BY reopened DESC, last_reopened DESC, alert_id
