output "bus_arn" {
  description = "Where rules of other Regions and accounts send to: HubBusArn of member.yaml."
  value       = aws_cloudwatch_event_bus.bus.arn
}

output "stream_arn" {
  value = aws_kinesis_stream.stream.arn
}

output "key_arn" {
  value = aws_kms_key.key.arn
}

output "lake_uri" {
  description = "For --lake."
  value       = "s3://${aws_s3_bucket.lake.bucket}/lake"
}

output "undelivered_url" {
  value = aws_sqs_queue.undelivered.id
}

output "cluster" {
  value = aws_ecs_cluster.cluster.name
}

output "accounts_role" {
  value = aws_iam_role.task["accounts"].arn
}

output "backfill_role" {
  value = aws_iam_role.task["backfill"].arn
}

output "query_role" {
  value = one(aws_iam_role.query[*].arn)
}
