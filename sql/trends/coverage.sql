/*
title: Coverage
description: >
  When each account last reported anything from each Region, up to the end of the period; accounts that are known by name and never
  reported are there, too. Silence may be health, or a detector that is off.
returns: >
  account_id and its present account_name; region (null where the account never reported); member_status and detector_status (null:
  not known); last_report (event time of the last finding); days_silent (from then to the end). Longest silence first.
*/
WITH heard AS (
    SELECT account_id, region, max(event_time) AS last_report
    FROM findings
    WHERE
        event_time < $to AND ($samples OR NOT sample)
        AND in_list($accounts, account_id) AND in_ou($ou, account_id, $to)
        AND type_matches($types, type) AND at_least($severity, severity)
    GROUP BY account_id, region
),
known AS (
    SELECT account_id
    FROM accounts
    WHERE (valid_to IS NULL OR valid_to >= $to) AND in_list($accounts, account_id) AND in_ou($ou, account_id, $to)
)
SELECT
    coalesce(heard.account_id, known.account_id) AS account_id,
    account_name(coalesce(heard.account_id, known.account_id)) AS account_name,
    heard.region,
    arrow_cast(NULL, 'Utf8') AS member_status,
    arrow_cast(NULL, 'Utf8') AS detector_status,
    heard.last_report,
    round((date_part('epoch', $to) - date_part('epoch', heard.last_report)) / 86400.0, 1) AS days_silent
FROM heard
FULL JOIN known ON known.account_id = heard.account_id
ORDER BY heard.last_report NULLS FIRST, account_id, heard.region
