/*
title: Severity per day
description: >
  How severe the findings of each day were. A finding counts once on every day on which one of its versions happened, with the
  highest severity that it had that day.
returns: >
  day (in tz); severity_label (null where there is none); findings. Days without findings are left out.
*/
SELECT day, severity_label, count(*) AS findings
FROM (
    SELECT
        account_id, region, finding_id, day_in($tz, event_time) AS day,
        coalesce(severity_label(max(severity)), max(severity_label)) AS severity_label
    FROM findings
    WHERE
        event_time >= $from AND event_time < $to AND ($samples OR NOT sample)
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
        AND type_matches($types, type) AND at_least($severity, severity)
    GROUP BY account_id, region, finding_id, day
)
GROUP BY day, severity_label
ORDER BY
    day,
    CASE severity_label
        WHEN 'Critical' THEN 1
        WHEN 'High' THEN 2
        WHEN 'Medium' THEN 3
        WHEN 'Low' THEN 4
        WHEN 'Informational' THEN 5
        ELSE 6
    END
