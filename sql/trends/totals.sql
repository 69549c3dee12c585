/*
title: Totals
description: >
  The period in one row. A finding counts once, with the label of its last version in the period.
returns: >
  findings; new_findings (that began in the period: created_at, or the first event time of those without); versions (published, in
  GuardDuty's own shapes); occurrences (increases of count); accounts; critical, high, medium and low findings; alerts (opened in the
  period, those merged into others left out); open_alerts (of these, neither resolved nor withdrawn at its end).
*/
WITH per_version AS (
    SELECT
        account_id, region, finding_id, severity_label, native, increase,
        row_number() OVER (
            PARTITION BY account_id, region, finding_id
            ORDER BY
                native DESC, updated_at DESC NULLS LAST, count DESC NULLS LAST, severity DESC NULLS LAST, severity_label
        ) AS place
    FROM versions
    WHERE
        event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
        AND type_matches($types, type) AND at_least($severity, severity)
),
in_period AS (
    SELECT
        sum(findings) AS findings, sum(versions) AS versions, sum(occurrences) AS occurrences, count(*) AS accounts,
        sum(critical) AS critical, sum(high) AS high, sum(medium) AS medium, sum(low) AS low
    FROM (
        SELECT
            account_id,
            count(*) FILTER (WHERE place = 1) AS findings,
            count(*) FILTER (WHERE native) AS versions,
            sum(increase) AS occurrences,
            count(*) FILTER (WHERE place = 1 AND severity_label = 'Critical') AS critical,
            count(*) FILTER (WHERE place = 1 AND severity_label = 'High') AS high,
            count(*) FILTER (WHERE place = 1 AND severity_label = 'Medium') AS medium,
            count(*) FILTER (WHERE place = 1 AND severity_label = 'Low') AS low
        FROM per_version
        GROUP BY account_id
    )
),
began AS (
    SELECT count(*) AS new_findings
    FROM (
        SELECT account_id, region, finding_id, coalesce(min(created_at), min(event_time)) AS began
        FROM findings
        WHERE
            ($samples OR NOT sample)
            AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
            AND type_matches($types, type) AND at_least($severity, severity)
        GROUP BY account_id, region, finding_id
    )
    WHERE began >= $from AND began < $to
),
rung AS (
    SELECT count(*) AS alerts, count(*) FILTER (WHERE state NOT IN ('resolved', 'withdrawn')) AS open_alerts
    FROM (
        SELECT
            alert_id,
            last_value(event ORDER BY seq) FILTER (WHERE event NOT IN ('grew', 'escalated')) AS state,
            last_value(severity ORDER BY seq) AS severity,
            last_value(accounts ORDER BY seq) AS accounts,
            last_value(types ORDER BY seq) AS types,
            min(at) AS opened_at
        FROM alert_log
        WHERE at < $to
        GROUP BY alert_id
    )
    WHERE
        opened_at >= $from AND state <> 'merged'
        AND in_list($accounts, accounts) AND in_ou($ou, accounts, opened_at)
        AND type_matches($types, types) AND at_least($severity, severity)
)
SELECT
    coalesce(findings, 0) AS findings, new_findings, coalesce(versions, 0) AS versions, coalesce(occurrences, 0) AS occurrences,
    accounts, coalesce(critical, 0) AS critical, coalesce(high, 0) AS high, coalesce(medium, 0) AS medium, coalesce(low, 0) AS low,
    alerts, open_alerts
FROM in_period
CROSS JOIN began
CROSS JOIN rung
