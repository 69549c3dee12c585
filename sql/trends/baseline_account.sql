/*
title: Accounts beside their usual
description: >
  The findings of a period, by default of the last day, beside the same period one to eight weeks before: the same weekday, the same hours
  on the clock. A period of more than a week is compared with periods so many whole weeks before. Weeks without findings count as 0,
  also those before the lake began. A finding counts once in each period in which one of its versions happened.
parameters:
  - {name: from, type: timestamp, default: end - 1d, description: "first event time, included"}
returns: >
  account_id and its present account_name; findings; expected (the median of the eight); robust_z (0.6745 * (findings - expected) / MAD, where MAD is
  the median distance of the eight from expected; null where all but a few are equal). The most unusual first.
*/
WITH period AS (
    SELECT
        date_part('epoch', local_time($tz, $from)) AS begins,
        date_part('epoch', local_time($tz, $to)) - date_part('epoch', local_time($tz, $from)) AS length
),
per_finding AS (
    SELECT account_id, region, finding_id, ago
    FROM (
        SELECT
            account_id, region, finding_id,
            CAST(ceil((begins - local) / step) AS BIGINT) AS ago,
            local - begins + step * ceil((begins - local) / step) AS since, length
        FROM (
            SELECT
                account_id, region, finding_id, begins, length,
                date_part('epoch', local_time($tz, event_time)) AS local,
                604800.0 * ceil(length / 604800.0) AS step
            FROM findings
            CROSS JOIN period
            WHERE
                event_time >= to_timestamp_seconds(CAST(9 * date_part('epoch', $from) - 8 * date_part('epoch', $to) - 57 * 86400 AS BIGINT))
                AND event_time < $to AND ($samples OR NOT sample)
                AND in_list($accounts, account_id) AND in_ou($ou, account_id, event_time)
                AND type_matches($types, type) AND at_least($severity, severity)
        )
    )
    WHERE since < length AND ago <= 8
    GROUP BY account_id, region, finding_id, ago
),
counted AS (SELECT account_id, ago, count(*) AS number FROM per_finding GROUP BY account_id, ago),
weeks AS (
    SELECT account_id, unnest(range(0, 9)) AS ago
    FROM (SELECT DISTINCT account_id FROM counted)
),
filled AS (
    SELECT weeks.account_id, weeks.ago, CAST(coalesce(counted.number, 0) AS DOUBLE) AS number
    FROM weeks
    LEFT JOIN counted ON counted.account_id = weeks.account_id AND counted.ago = weeks.ago
),
expectation AS (
    SELECT account_id, median(number) FILTER (WHERE ago > 0) AS expected, max(number) FILTER (WHERE ago = 0) AS number
    FROM filled
    GROUP BY account_id
),
spread AS (
    SELECT filled.account_id, median(abs(filled.number - expectation.expected)) AS mad
    FROM filled
    INNER JOIN expectation ON expectation.account_id = filled.account_id
    WHERE filled.ago > 0
    GROUP BY filled.account_id
)
SELECT
    expectation.account_id, account_name(expectation.account_id) AS account_name,
    CAST(expectation.number AS BIGINT) AS findings, expectation.expected,
    round(0.6745 * (expectation.number - expectation.expected) / nullif(spread.mad, 0), 2) AS robust_z
FROM expectation
INNER JOIN spread ON spread.account_id = expectation.account_id
ORDER BY abs(robust_z) DESC NULLS LAST, abs(expectation.number - expectation.expected) DESC, expectation.account_id
