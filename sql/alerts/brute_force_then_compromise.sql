/*
title: Brute force, then signs of compromise, on one instance
description: >
  An instance was the target of SSH, RDP or WinRM guessing, and within a day shows what a compromised one shows: command and
  control, mining, malware, a reverse shell. The guess was right.
severity: critical
kind: sequence
group_by: [account_id, instance_id]
steps: [guessing, compromise]
window: 1d
suppress_for: 2d
tags: [attack.credential-access, attack.t1110, attack.initial-access, attack.command-and-control, guardduty]
false_positives:
  - An instance with an open port is guessed at all the time; what follows is then a coincidence, and still worth a look.
*/
SELECT
    *,
    CASE
        WHEN threat_family IN ('SSHBruteForce', 'RDPBruteForce', 'WinRMBruteForce') THEN 'guessing'
        WHEN threat_purpose IN ('Backdoor', 'CryptoCurrency', 'Trojan', 'Execution') THEN 'compromise'
    END AS step
FROM observations
WHERE instance_id IS NOT NULL
  AND NOT sample
