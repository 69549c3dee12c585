/*
title: Published versions
description: >
  Every row of findings with what can be said of it beside the others of its finding: how much its count grew, under which
  name its account went at the time, whether its times and counts are GuardDuty's own.
returns: >
  All columns of findings; native (false for ASFF and OCSF, whose times and counts are Security Hub's); version_id (one text
  per native version, null for the others); increase (count less the count of the version before, by updated_at and count;
  the first counts in full; null where the version is backfilled, is not native or has no count); account_name and ou at
  event_time.
*/
SELECT
    v.*,
    CASE
        WHEN NOT v.native THEN NULL
        WHEN v.updated_at IS NULL OR v.count IS NULL THEN concat_ws(
            '/', v.account_id, v.region, v.finding_id,
            concat_ws(':', v.source, v.shard_id, v.sequence_number, v.sub_sequence, v.item)
        )
        ELSE concat_ws(
            '/', v.account_id, v.region, v.finding_id,
            concat_ws(':', CAST(date_part('epoch', date_trunc('second', v.updated_at)) AS BIGINT), v.count)
        )
    END AS version_id,
    CASE
        WHEN v.native AND NOT v.backfilled AND v.count IS NOT NULL THEN greatest(
            v.count - coalesce(
                lag(v.count) OVER (
                    PARTITION BY v.account_id, v.region, v.finding_id, v.native, v.count IS NULL
                    ORDER BY v.updated_at ASC NULLS FIRST, v.count ASC
                ),
                0
            ),
            0
        )
    END AS increase,
    account_name(v.account_id, v.event_time) AS account_name,
    account_ou(v.account_id, v.event_time) AS ou
FROM (
    SELECT *, right(wire_shape, 4) NOT IN ('asff', 'ocsf') AS native
    FROM findings
) AS v
