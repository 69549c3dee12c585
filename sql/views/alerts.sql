/*
title: Alerts as they stand
description: >
  The present state of each alert, added up from alert_log: what it is from the last event that measured it, its state from
  the last that changed it. A snooze that is over by now has ended: such an alert is open.
returns: >
  alert_id; state (open, acknowledged, snoozed, resolved, merged, withdrawn); state_since and state_by; snoozed_until; rule,
  title, severity; "group" (JSON); count, threshold and window (of the largest window, which is window_start to window_end);
  first_match and last_match; first_seen and last_seen; findings_total, accounts, regions, types, max_severity;
  opened_at, changed_at; historic; suppressed_by (id of the suppression that hid it when it was last measured); actor and reason of the
  last event; sql (the evidence); revision. The ids of the findings are in alert_log, spread over its events.
*/
SELECT
    alert_id,
    CASE
        WHEN state = 'snoozed' AND until <= now() THEN 'open'
        ELSE state
    END AS state,
    state_since,
    state_by,
    CASE
        WHEN state = 'snoozed' AND until > now() THEN until
    END AS snoozed_until,
    rule, title, severity, "group", count, threshold, "window", window_start, window_end,
    first_match, last_match, first_seen, last_seen, findings_total, accounts, regions, types, max_severity,
    opened_at, changed_at, historic, suppressed_by, actor, reason, sql, revision
FROM (
    SELECT
        alert_id,
        last_value(
            CASE
                WHEN event IN ('opened', 'reopened') THEN 'open'
                ELSE event
            END
            ORDER BY seq
        ) FILTER (WHERE NOT grows) AS state,
        last_value(at ORDER BY seq) FILTER (WHERE NOT grows) AS state_since,
        last_value(actor ORDER BY seq) FILTER (WHERE NOT grows) AS state_by,
        last_value(until ORDER BY seq) FILTER (WHERE NOT grows) AS until,
        last_value(rule ORDER BY seq) AS rule,
        last_value(title ORDER BY seq) FILTER (WHERE measured) AS title,
        last_value(severity ORDER BY seq) FILTER (WHERE measured) AS severity,
        last_value("group" ORDER BY seq) FILTER (WHERE measured) AS "group",
        last_value(count ORDER BY seq) FILTER (WHERE measured) AS count,
        last_value(threshold ORDER BY seq) FILTER (WHERE measured) AS threshold,
        last_value("window" ORDER BY seq) FILTER (WHERE measured) AS "window",
        last_value(window_start ORDER BY seq) FILTER (WHERE measured) AS window_start,
        last_value(window_end ORDER BY seq) FILTER (WHERE measured) AS window_end,
        last_value(first_match ORDER BY seq) FILTER (WHERE measured) AS first_match,
        last_value(last_match ORDER BY seq) FILTER (WHERE measured) AS last_match,
        last_value(first_seen ORDER BY seq) FILTER (WHERE measured) AS first_seen,
        last_value(last_seen ORDER BY seq) FILTER (WHERE measured) AS last_seen,
        last_value(findings_total ORDER BY seq) FILTER (WHERE measured) AS findings_total,
        last_value(accounts ORDER BY seq) FILTER (WHERE measured) AS accounts,
        last_value(regions ORDER BY seq) FILTER (WHERE measured) AS regions,
        last_value(types ORDER BY seq) FILTER (WHERE measured) AS types,
        last_value(max_severity ORDER BY seq) FILTER (WHERE measured) AS max_severity,
        min(at) AS opened_at,
        last_value(at ORDER BY seq) AS changed_at,
        last_value(historic ORDER BY seq) FILTER (WHERE measured) AS historic,
        last_value(suppressed_by ORDER BY seq) FILTER (WHERE measured) AS suppressed_by,
        last_value(actor ORDER BY seq) AS actor,
        last_value(reason ORDER BY seq) AS reason,
        last_value(sql ORDER BY seq) FILTER (WHERE measured) AS sql,
        last_value(revision ORDER BY seq) FILTER (WHERE measured) AS revision
    FROM (
        SELECT
            *,
            event IN ('opened', 'grew', 'escalated', 'reopened') AS measured,
            event IN ('grew', 'escalated') AS grows
        FROM alert_log
    )
    GROUP BY alert_id
)
