-- What `guardlake ingest` does, in DuckDB: lines of EventBridge events at {source} become the columns of `findings`, with the line as `raw`, in
-- one Parquet file at {target}. json_transform reads each line once. What it leaves out: duplicates, days, the rarer actions and resources.
COPY (
  WITH parsed AS (
    SELECT json, json_transform(json, '{shape}').detail AS d FROM read_ndjson_objects('{source}')
  ), flat AS (
    SELECT json, d, d.service AS s, d.service.action AS a, d.resource AS r,
      coalesce(d.service.action.networkConnectionAction.remoteIpDetails, d.service.action.awsApiCallAction.remoteIpDetails,
        d.service.action.kubernetesApiCallAction.remoteIpDetails, d.service.action.rdsLoginAttemptAction.remoteIpDetails,
        d.service.action.portProbeAction.portProbeDetails[1].remoteIpDetails) AS ip
    FROM parsed
  )
  SELECT
    d.accountId AS account_id, d.region, d.partition, d.id AS finding_id, d.arn, d.type,
    split_part(d.type, ':', 1) AS threat_purpose,
    split_part(split_part(split_part(d.type, '/', 2), '.', 1), '!', 1) AS threat_family,
    d.severity,
    CASE WHEN d.severity < 1 THEN 'Informational' WHEN d.severity < 4 THEN 'Low' WHEN d.severity < 7 THEN 'Medium'
      WHEN d.severity < 9 THEN 'High' ELSE 'Critical' END AS severity_label,
    d.title, d.description, r.resourceType AS resource_type,
    coalesce(r.instanceDetails.instanceId, r.accessKeyDetails.accessKeyId, r.s3BucketDetails[1].arn, r.eksClusterDetails.arn,
      r.ecsClusterDetails.arn, r.lambdaDetails.functionArn, r.rdsDbInstanceDetails.dbInstanceArn, r.containerDetails.id) AS resource_id,
    a.actionType AS action_type, coalesce(ip.ipAddressV4, ip.ipAddressV6) AS remote_ip,
    nullif(list_filter(list_concat([ip.ipAddressV4, ip.ipAddressV6],
      list_transform(a.portProbeAction.portProbeDetails[2:], lambda x: x.remoteIpDetails.ipAddressV4),
      a.kubernetesApiCallAction.sourceIPs), lambda x: x IS NOT NULL), []) AS remote_ips,
    a.networkConnectionAction.remotePortDetails.port AS remote_port,
    coalesce(a.networkConnectionAction.localPortDetails.port, a.portProbeAction.portProbeDetails[1].localPortDetails.port) AS local_port,
    a.networkConnectionAction.connectionDirection AS direction,
    coalesce(a.networkConnectionAction.protocol, a.dnsRequestAction.protocol) AS protocol,
    coalesce(a.networkConnectionAction.blocked, a.portProbeAction.blocked, a.dnsRequestAction.blocked) AS blocked,
    ip.country.countryName AS remote_country, ip.city.cityName AS remote_city,
    TRY_CAST(ip.organization.asn AS BIGINT) AS remote_asn, ip.organization.asnOrg AS remote_asn_org,
    a.dnsRequestAction.domain AS dns_domain,
    coalesce(a.awsApiCallAction.api, a.kubernetesApiCallAction.verb || ' ' || a.kubernetesApiCallAction.requestUri) AS api,
    a.awsApiCallAction.serviceName AS service_name, a.awsApiCallAction.errorCode AS error_code,
    coalesce(r.accessKeyDetails.userName, r.kubernetesDetails.kubernetesUserDetails.username) AS user_name,
    r.accessKeyDetails.userType AS user_type, r.accessKeyDetails.principalId AS principal_id,
    r.accessKeyDetails.accessKeyId AS access_key_id, r.instanceDetails.instanceId AS instance_id,
    list_transform(r.s3BucketDetails, lambda x: x.name) AS bucket_names,
    coalesce(r.eksClusterDetails.name, r.ecsClusterDetails.name) AS cluster_name, r.containerDetails.image AS container_image,
    r.rdsDbInstanceDetails.dbInstanceIdentifier AS db_instance, r.lambdaDetails.functionName AS lambda_function,
    nullif(list_distinct(list_filter(list_concat([s.additionalInfo.threatListName],
      list_transform(s.evidence.threatIntelligenceDetails, lambda x: x.threatListName)), lambda x: x IS NOT NULL)), []) AS threat_lists,
    s.detectorId AS detector_id, s.count,
    s.eventFirstSeen::TIMESTAMPTZ AS event_first_seen, s.eventLastSeen::TIMESTAMPTZ AS event_last_seen,
    d.createdAt::TIMESTAMPTZ AS created_at, d.updatedAt::TIMESTAMPTZ AS updated_at,
    coalesce(s.eventLastSeen, d.updatedAt, d.createdAt)::TIMESTAMPTZ AS event_time,
    s.archived, coalesce(s.additionalInfo.sample, false) AS sample,
    json::VARCHAR AS raw, 'eventbridge' AS wire_shape, false AS backfilled, '{source}' AS source, now() AS ingested_at,
    coalesce(s.eventLastSeen, d.updatedAt, d.createdAt)::TIMESTAMPTZ::DATE AS event_date
  FROM flat
) TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)
