/*
title: Accounts by their present names
description: The newest row of each account in accounts_history, which keeps every name, OU and owner with the time it held.
returns: account_id, name, ou, owner, email, tags (JSON text), valid_from, valid_to (null while the account is a member).
*/
SELECT account_id, name, ou, owner, email, tags, valid_from, valid_to
FROM (
    SELECT
        *,
        row_number() OVER (PARTITION BY account_id ORDER BY valid_from DESC, valid_to DESC NULLS FIRST, name) AS place
    FROM accounts_history
)
WHERE place = 1
