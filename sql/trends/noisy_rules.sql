/*
title: Noisy rules
description: >
  Which rules ring most, over how much, and whether anybody hears: of the alerts opened in the period, as known at its end. Those
  merged into others are left out.
returns: >
  rule; severity (the highest of its alerts); alerts; findings (summed over the alerts); accounts (how many different ones);
  share_suppressed (0 to 1: hidden by a suppression when last measured); median_to_resolve_minutes (null where none is resolved).
  Most alerts first.
*/
WITH alerts_then AS (
    SELECT
        alert_id,
        last_value(event ORDER BY seq) FILTER (WHERE event NOT IN ('grew', 'escalated')) AS state,
        last_value(at ORDER BY seq) FILTER (WHERE event NOT IN ('grew', 'escalated')) AS state_since,
        last_value(findings_total ORDER BY seq) FILTER (WHERE event IN ('opened', 'grew', 'escalated', 'reopened')) AS findings,
        last_value(suppressed_by ORDER BY seq) FILTER (WHERE event IN ('opened', 'grew', 'escalated', 'reopened')) AS suppressed_by,
        last_value(rule ORDER BY seq) AS rule,
        last_value(severity ORDER BY seq) AS severity,
        last_value(accounts ORDER BY seq) AS accounts,
        last_value(types ORDER BY seq) AS types,
        min(at) AS opened_at
    FROM alert_log
    WHERE at < $to
    GROUP BY alert_id
),
chosen AS (
    SELECT
        rule, accounts, findings, suppressed_by,
        CASE severity
            WHEN 'Critical' THEN 9.0 WHEN 'High' THEN 7.0 WHEN 'Medium' THEN 4.0 WHEN 'Low' THEN 1.0 WHEN 'Informational' THEN 0.0
        END AS severity,
        CASE WHEN state = 'resolved' THEN (date_part('epoch', state_since) - date_part('epoch', opened_at)) / 60.0 END AS to_resolve
    FROM alerts_then
    WHERE
        opened_at >= $from AND state <> 'merged'
        AND in_list($accounts, accounts) AND in_ou($ou, accounts, opened_at)
        AND type_matches($types, types) AND at_least($severity, severity)
),
accounts_of AS (
    SELECT rule, count(*) AS accounts
    FROM (SELECT DISTINCT rule, unnest(accounts) AS account_id FROM chosen)
    GROUP BY rule
),
by_rule AS (
    SELECT
        rule, severity_label(max(severity)) AS severity, count(*) AS alerts, sum(findings) AS findings,
        round(count(suppressed_by) / CAST(count(*) AS DOUBLE), 3) AS share_suppressed,
        median(to_resolve) AS median_to_resolve_minutes
    FROM chosen
    GROUP BY rule
)
SELECT
    by_rule.rule, severity, alerts, findings, coalesce(accounts, 0) AS accounts, share_suppressed, median_to_resolve_minutes
FROM by_rule
LEFT JOIN accounts_of ON accounts_of.rule = by_rule.rule
ORDER BY alerts DESC, findings DESC, rule
