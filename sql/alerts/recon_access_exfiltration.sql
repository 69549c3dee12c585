/*
title: From looking around to taking data, by one principal
description: >
  One principal first looks around, then gains or uses access it should not have, then takes or destroys: the three steps of an
  attack in their order, within two days. Each step alone may be Low.
severity: critical
kind: sequence
group_by: [account_id, principal_id]
steps: [recon, access, harm]
window: 2d
suppress_for: 2d
tags: [attack.discovery, attack.t1580, attack.credential-access, attack.t1078.004, attack.exfiltration, attack.impact, guardduty]
false_positives:
  - A penetration test that goes all the way.
  - A new data pipeline whose role GuardDuty has not learned yet; it seldom has the middle step.
*/
SELECT
    *,
    CASE
        WHEN threat_purpose IN ('Recon', 'Discovery') THEN 'recon'
        WHEN threat_purpose IN (
            'InitialAccess', 'CredentialAccess', 'UnauthorizedAccess', 'PrivilegeEscalation', 'Persistence'
        ) THEN 'access'
        WHEN threat_purpose IN ('Exfiltration', 'Impact') THEN 'harm'
    END AS step
FROM observations
WHERE principal_id IS NOT NULL
  AND NOT sample
