/*
title: From a shell in a container to the host
description: >
  Something new runs on a host or in one of its containers - a shell, a tool, a binary that was not in the image - and within six
  hours GuardDuty's runtime monitoring sees an attempt to leave the container or to become root.
severity: critical
kind: sequence
group_by: [account_id, resource_id]
steps: [foothold, escape]
window: 6h
suppress_for: 1d
tags: [attack.execution, attack.t1609, attack.privilege-escalation, attack.t1611, guardduty]
false_positives:
  - Debugging in production, and agents that need the host, such as storage drivers and security sensors.
*/
SELECT
    *,
    CASE
        WHEN type IN (
            'Execution:Runtime/ReverseShell', 'Execution:Runtime/SuspiciousShellCreated', 'Execution:Runtime/SuspiciousTool',
            'Execution:Runtime/SuspiciousCommand', 'Execution:Runtime/NewBinaryExecuted',
            'Execution:Runtime/MaliciousFileExecuted'
        ) THEN 'foothold'
        WHEN type IN (
            'PrivilegeEscalation:Runtime/RuncContainerEscape', 'PrivilegeEscalation:Runtime/CGroupsReleaseAgentModified',
            'PrivilegeEscalation:Runtime/ContainerMountsHostDirectory', 'PrivilegeEscalation:Runtime/DockerSocketAccessed',
            'PrivilegeEscalation:Runtime/ElevationToRoot', 'PrivilegeEscalation:Runtime/UserfaultfdUsage'
        ) THEN 'escape'
    END AS step
FROM observations
WHERE resource_id IS NOT NULL
  AND NOT sample
