/*
title: Severity mix per account
description: >
  How severe the findings of each account were. A finding counts once, with the label of its last version in the
  period.
returns: >
  account_id and its present account_name; critical, high, medium, low, informational and unlabelled findings, and
  findings in all. The worst accounts first.
*/
SELECT
    account_id, account_name(account_id) AS account_name,
    sum(CASE WHEN label = 'Critical' THEN 1 ELSE 0 END) AS critical,
    sum(CASE WHEN label = 'High' THEN 1 ELSE 0 END) AS high,
    sum(CASE WHEN label = 'Medium' THEN 1 ELSE 0 END) AS medium,
    sum(CASE WHEN label = 'Low' THEN 1 ELSE 0 END) AS low,
    sum(CASE WHEN label = 'Informational' THEN 1 ELSE 0 END) AS informational,
    sum(CASE WHEN label IS NULL THEN 1 ELSE 0 END) AS unlabelled,
    count(*) AS findings
FROM (
    SELECT account_id, severity_label AS label
    FROM (
        SELECT
            account_id, severity_label,
            row_number() OVER (
                PARTITION BY account_id, region, finding_id
                ORDER BY
                    right(wire_shape, 4) IN ('asff', 'ocsf'), updated_at DESC NULLS LAST, count DESC NULLS LAST,
                    severity DESC NULLS LAST, severity_label
            ) AS place
        FROM findings
        WHERE
            event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
            AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
            AND type_matches($types, type) AND at_least($severity, severity)
    )
    WHERE place = 1
)
GROUP BY account_id
ORDER BY critical DESC, high DESC, medium DESC, low DESC, findings DESC, account_id
