/*
title: Database passwords guessed, then a login
description: >
  Unusual failed logins to a database are followed within a day by a successful login that GuardDuty finds unusual, or that comes from
  a bad address.
severity: critical
kind: sequence
group_by: [account_id, db_instance]
steps: [guessing, login]
window: 1d
suppress_for: 1d
tags: [attack.credential-access, attack.t1110, attack.initial-access, attack.t1078, guardduty]
false_positives:
  - An application that was deployed with an old password and then repaired.
*/
SELECT
    *,
    CASE
        WHEN type IN (
            'CredentialAccess:RDS/AnomalousBehavior.FailedLogin', 'CredentialAccess:RDS/MaliciousIPCaller.FailedLogin',
            'CredentialAccess:RDS/TorIPCaller.FailedLogin'
        ) THEN 'guessing'
        WHEN type IN (
            'CredentialAccess:RDS/AnomalousBehavior.SuccessfulLogin', 'CredentialAccess:RDS/MaliciousIPCaller.SuccessfulLogin',
            'CredentialAccess:RDS/TorIPCaller.SuccessfulLogin', 'CredentialAccess:RDS/AnomalousBehavior.SuccessfulBruteForce'
        ) THEN 'login'
    END AS step
FROM observations
WHERE db_instance IS NOT NULL
  AND NOT sample
