/*
title: Findings as they stand
description: >
  The last version of each finding, by updated_at and then count. Versions in GuardDuty's own shapes go before those of
  Security Hub (ASFF, OCSF), whose times and counts are not GuardDuty's.
returns: All columns of findings.
*/
SELECT * EXCEPT (place)
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY account_id, region, finding_id
            ORDER BY
                right(wire_shape, 4) IN ('asff', 'ocsf'), updated_at DESC NULLS LAST, count DESC NULLS LAST,
                source, sequence_number DESC, sub_sequence DESC, item DESC
        ) AS place
    FROM findings
)
WHERE place = 1
