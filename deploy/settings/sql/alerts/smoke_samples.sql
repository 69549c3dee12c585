/*
title: A sample finding came through
severity: low
group_by: [account_id]
count: findings
threshold: 1
window: 1h
resolve_after: 1h
*/
SELECT * FROM observations WHERE sample
