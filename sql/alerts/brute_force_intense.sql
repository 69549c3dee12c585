/*
title: Intense brute force on one instance
description: >
  GuardDuty saw SSH, RDP or WinRM guessing against one instance two hundred times or more within six hours, by its own count. Below
  that it is the noise of the internet, which asks every open port.
severity: medium
group_by: [account_id, instance_id]
count: occurrences
threshold: 200
window: 6h
suppress_for: 1d
tags: [attack.credential-access, attack.t1110, guardduty]
false_positives:
  - A vulnerability scanner of your own that tries passwords.
*/
SELECT *
FROM observations
WHERE type IN (
    'UnauthorizedAccess:EC2/SSHBruteForce', 'UnauthorizedAccess:EC2/RDPBruteForce', 'Impact:EC2/WinRMBruteForce'
  )
  AND instance_id IS NOT NULL
  AND NOT sample
