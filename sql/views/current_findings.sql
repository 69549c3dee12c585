/*
title: Findings as they stand
description: The last version of each finding, by updated_at and then count.
returns: All columns of findings.
*/
SELECT * EXCEPT (place)
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY account_id, region, finding_id
            ORDER BY
                updated_at DESC NULLS LAST, count DESC NULLS LAST,
                right(wire_shape, 4) IN ('asff', 'ocsf'), source, sequence_number DESC, sub_sequence DESC, item DESC
        ) AS place
    FROM findings
)
WHERE place = 1
