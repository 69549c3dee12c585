# What deploy/cloudformation/hub.yaml and hub-access.yaml make, under the same names. This file: key, stream, bucket, the way in.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
}

resource "aws_kms_key" "key" {
  description         = "guardlake: stream, lake, logs, alarms"
  enable_key_rotation = true
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "AccountDecidesByItsPolicies"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "LogGroup"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"]
        Resource  = "*"
        Condition = {
          ArnEquals = {
            "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/${var.name}"
          }
        }
      },
      {
        Sid       = "AlarmsIntoTheTopic"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      ], var.direct_from_members ? [{
        Sid       = "MembersPutIntoTheStream"
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action    = "kms:GenerateDataKey"
        Resource  = "*"
        Condition = {
          StringEquals = {
            "aws:PrincipalOrgID" = var.organization_id
            "kms:ViaService"     = "kinesis.${local.region}.amazonaws.com"
          }
        }
    }] : [])
  })
  # Without it the bucket cannot be read.
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "key" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.key.key_id
}

resource "aws_kinesis_stream" "stream" {
  name             = var.name
  retention_period = var.stream_retention_hours
  shard_count      = var.stream_shards == 0 ? null : var.stream_shards
  encryption_type  = "KMS"
  kms_key_id       = aws_kms_key.key.arn
  stream_mode_details {
    stream_mode = var.stream_shards == 0 ? "ON_DEMAND" : "PROVISIONED"
  }
}

resource "aws_kinesis_resource_policy" "members" {
  count        = var.direct_from_members ? 1 : 0
  resource_arn = aws_kinesis_stream.stream.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "members-of-the-organization"
      Effect    = "Allow"
      Principal = { AWS = "*" }
      Action    = ["kinesis:PutRecord", "kinesis:PutRecords"]
      Resource  = aws_kinesis_stream.stream.arn
      Condition = { StringEquals = { "aws:PrincipalOrgID" = var.organization_id } }
    }]
  })
}

resource "aws_s3_bucket" "lake" {
  #checkov:skip=CKV_AWS_18:Server access logs would be larger than the lake; CloudTrail data events say the same, if they are wanted.
  #checkov:skip=CKV_AWS_21:Versioning is on unless noncurrent_days is 0, which checkov does not follow.
  #checkov:skip=CKV_AWS_144:The stream keeps a week and GuardDuty 90 days; a copy in another Region is the user's choice.
  #checkov:skip=CKV2_AWS_62:Nobody needs to hear of objects; the Delta log says what is there.
  bucket = "${var.name}-${local.account}-${local.region}"
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_ownership_controls" "lake" {
  bucket = aws_s3_bucket.lake.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "lake" {
  bucket                  = aws_s3_bucket.lake.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "lake" {
  bucket = aws_s3_bucket.lake.id
  rule {
    bucket_key_enabled = var.bucket_encryption == "kms"
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.bucket_encryption == "kms" ? "aws:kms" : "AES256"
      kms_master_key_id = var.bucket_encryption == "kms" ? aws_kms_key.key.arn : null
    }
  }
}

# Delta never changes an object, so versions hold nothing but what was deleted: by upkeep, or by mistake. They are kept for a week.
resource "aws_s3_bucket_versioning" "lake" {
  bucket = aws_s3_bucket.lake.id
  versioning_configuration {
    status = var.noncurrent_days == 0 ? "Suspended" : "Enabled"
  }
}

# Live objects are never expired here: only guardlake knows which of them a table needs (lake.retention).
resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  #checkov:skip=CKV_AWS_300:The first rule does it; checkov sees the dynamic one in its place.
  bucket     = aws_s3_bucket.lake.id
  depends_on = [aws_s3_bucket_versioning.lake]
  rule {
    id     = "uploads-that-never-ended"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
  dynamic "rule" {
    for_each = var.noncurrent_days == 0 ? [] : [var.noncurrent_days]
    content {
      id     = "what-was-deleted"
      status = "Enabled"
      filter {}
      noncurrent_version_expiration {
        noncurrent_days = rule.value
      }
      expiration {
        expired_object_delete_marker = true
      }
    }
  }
}

resource "aws_s3_bucket_policy" "lake" {
  bucket = aws_s3_bucket.lake.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.lake.arn, "${aws_s3_bucket.lake.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_cloudwatch_event_bus" "bus" {
  name = var.name
}

# PutEvents by people cannot carry a source that begins with aws: what says aws.guardduty was sent by a rule.
resource "aws_cloudwatch_event_bus_policy" "members" {
  event_bus_name = aws_cloudwatch_event_bus.bus.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "members-of-the-organization"
      Effect    = "Allow"
      Principal = "*"
      Action    = "events:PutEvents"
      Resource  = aws_cloudwatch_event_bus.bus.arn
      Condition = { StringEquals = { "aws:PrincipalOrgID" = var.organization_id } }
    }]
  })
}

resource "aws_cloudwatch_event_rule" "findings" {
  for_each       = { default = "default", members = aws_cloudwatch_event_bus.bus.name }
  name           = "${var.name}-${each.key}"
  event_bus_name = each.value
  event_pattern  = jsonencode({ source = ["aws.guardduty"], detail-type = ["GuardDuty Finding"] })
}

resource "aws_cloudwatch_event_target" "stream" {
  for_each       = aws_cloudwatch_event_rule.findings
  rule           = each.value.name
  event_bus_name = each.value.event_bus_name
  target_id      = "stream"
  arn            = aws_kinesis_stream.stream.arn
  role_arn       = aws_iam_role.put.arn
  kinesis_target {
    partition_key_path = "$.detail.id"
  }
  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }
  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }
}

resource "aws_sqs_queue" "undelivered" {
  name                      = "${var.name}-undelivered"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_policy" "undelivered" {
  queue_url = aws_sqs_queue.undelivered.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.undelivered.arn
      Condition = { ArnEquals = { "aws:SourceArn" = [for rule in aws_cloudwatch_event_rule.findings : rule.arn] } }
    }]
  })
}
