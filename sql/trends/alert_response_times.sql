/*
title: How long alerts wait
description: >
  Of the alerts opened in the period: how many were acknowledged and resolved, and after how long, as known at its end. Those merged
  into others are left out. A resolve is the one that held at the end of the period; samples do not matter, rules decide on them.
returns: >
  rule; alerts; acknowledged (at least once); resolved; median and 90th percentile of the minutes from opening to the first
  acknowledgement, and to the resolve; null where there was none.
*/
WITH alerts_then AS (
    SELECT
        alert_id,
        last_value(event ORDER BY seq) FILTER (WHERE event NOT IN ('grew', 'escalated')) AS state,
        last_value(at ORDER BY seq) FILTER (WHERE event NOT IN ('grew', 'escalated')) AS state_since,
        min(at) FILTER (WHERE event = 'acknowledged') AS acknowledged_at,
        last_value(rule ORDER BY seq) AS rule,
        last_value(severity ORDER BY seq) AS severity,
        last_value(accounts ORDER BY seq) AS accounts,
        last_value(types ORDER BY seq) AS types,
        min(at) AS opened_at
    FROM alert_log
    WHERE at < $to
    GROUP BY alert_id
),
waited AS (
    SELECT
        rule,
        (date_part('epoch', acknowledged_at) - date_part('epoch', opened_at)) / 60.0 AS to_ack,
        CASE WHEN state = 'resolved' THEN (date_part('epoch', state_since) - date_part('epoch', opened_at)) / 60.0 END AS to_resolve
    FROM alerts_then
    WHERE
        opened_at >= $from AND state <> 'merged'
        AND in_list($accounts, accounts) AND in_ou($ou, accounts, opened_at)
        AND type_matches($types, types) AND at_least($severity, severity)
)
SELECT
    rule, count(*) AS alerts, count(to_ack) AS acknowledged, count(to_resolve) AS resolved,
    median(to_ack) AS median_to_ack_minutes,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY to_ack) AS p90_to_ack_minutes,
    median(to_resolve) AS median_to_resolve_minutes,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY to_resolve) AS p90_to_resolve_minutes
FROM waited
GROUP BY rule
ORDER BY alerts DESC, rule
