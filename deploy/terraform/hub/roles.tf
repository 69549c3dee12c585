# What guardlake may do: the policies of deploy/cloudformation/hub.yaml, word by word; deploy/check.py compares them.

locals {
  lake = "${aws_s3_bucket.lake.arn}/lake"
  policies = {
    ReadStream = [
      {
        Action   = ["kinesis:DescribeStreamSummary", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"]
        Resource = [aws_kinesis_stream.stream.arn]
      },
      { Action = ["kms:Decrypt"], Resource = [aws_kms_key.key.arn] },
    ]
    ReadLake = [
      { Action = ["s3:ListBucket"], Resource = [aws_s3_bucket.lake.arn] },
      { Action = ["s3:GetObject"], Resource = ["${local.lake}/*"] },
      { Action = ["kms:Decrypt"], Resource = [aws_kms_key.key.arn] },
    ]
    WriteLake = [
      { Action = ["s3:PutObject"], Resource = ["${local.lake}/*/_delta_log/00000000000000000000.json", "${local.lake}/_doctor/*"] },
      { Action = ["s3:DeleteObject"], Resource = ["${local.lake}/_doctor/*"] },
      { Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [aws_kms_key.key.arn] },
    ]
    WriteFindings = [
      {
        Action   = ["s3:PutObject", "s3:AbortMultipartUpload"]
        Resource = ["${local.lake}/findings/*", "${local.lake}/rejects/*", "${local.lake}/gaps/*", "${local.lake}/_leases/*"]
      },
      {
        Action = ["s3:DeleteObject"]
        Resource = [
          "${local.lake}/findings/_delta_log/*", "${local.lake}/rejects/_delta_log/*", "${local.lake}/gaps/_delta_log/*",
          "${local.lake}/_leases/*",
        ]
      },
    ]
    WriteAlerts = [
      { Action = ["s3:PutObject", "s3:AbortMultipartUpload"], Resource = ["${local.lake}/alert_log/*", "${local.lake}/deliveries/*"] },
      { Action = ["s3:DeleteObject"], Resource = ["${local.lake}/alert_log/_delta_log/*", "${local.lake}/deliveries/_delta_log/*"] },
    ]
    WriteReports = [
      { Action = ["s3:PutObject", "s3:AbortMultipartUpload"], Resource = ["${local.lake}/report_log/*", "${local.lake}/reports/*"] },
      { Action = ["s3:DeleteObject"], Resource = ["${local.lake}/report_log/_delta_log/*"] },
    ]
    LookAfterLake = [
      { Action = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"], Resource = ["${local.lake}/*"] },
    ]
    WriteAccounts = [
      { Action = ["s3:PutObject", "s3:AbortMultipartUpload"], Resource = ["${local.lake}/accounts/*"] },
      { Action = ["s3:DeleteObject"], Resource = ["${local.lake}/accounts/_delta_log/*"] },
      {
        Action = [
          "organizations:ListRoots", "organizations:ListOrganizationalUnitsForParent", "organizations:ListAccountsForParent",
          "organizations:ListTagsForResource",
        ]
        Resource = ["*"]
      },
    ]
    ReadGuardDuty = [
      {
        Action = [
          "account:ListRegions", "events:ListRules", "events:ListTargetsByRule", "guardduty:DescribeOrganizationConfiguration",
          "guardduty:GetDetector", "guardduty:GetFindings", "guardduty:ListDetectors", "guardduty:ListFindings", "guardduty:ListMembers",
          "guardduty:ListPublishingDestinations",
        ]
        Resource = ["*"]
      },
    ]
  }
  # Who has which, and how each runs. The roles of `layout` are made, accounts and backfill.
  layouts = {
    one = { main = { roles = "ingest,alerts,notify,reports,upkeep", tells = true } }
    apart = {
      main    = { roles = "ingest", tells = false }
      notify  = { roles = "alerts,notify", tells = true }
      reports = { roles = "reports", tells = false }
      upkeep  = { roles = "upkeep", tells = false }
    }
  }
  services = local.layouts[var.layout]
  role_policies = {
    one = {
      main     = ["ReadStream", "ReadLake", "WriteLake", "LookAfterLake"]
      accounts = ["ReadLake", "WriteLake", "WriteAccounts"]
      backfill = ["ReadLake", "WriteLake", "WriteFindings", "ReadGuardDuty"]
    }
    apart = {
      main     = ["ReadStream", "ReadLake", "WriteLake", "WriteFindings"]
      notify   = ["ReadLake", "WriteLake", "WriteAlerts"]
      reports  = ["ReadLake", "WriteLake", "WriteReports"]
      upkeep   = ["ReadLake", "WriteLake", "LookAfterLake"]
      accounts = ["ReadLake", "WriteLake", "WriteAccounts"]
      backfill = ["ReadLake", "WriteLake", "WriteFindings", "ReadGuardDuty"]
    }
  }
  task_roles = local.role_policies[var.layout]
  attachments = merge([
    for role, policies in local.task_roles : { for policy in policies : "${role}-${policy}" => { role = role, policy = policy } }
  ]...)
  started_by_ecs = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_policy" "policy" {
  for_each = local.policies
  name     = "${var.name}-${each.key}"
  policy   = jsonencode({ Version = "2012-10-17", Statement = [for statement in each.value : merge({ Effect = "Allow" }, statement)] })
}

resource "aws_iam_role" "task" {
  for_each           = local.task_roles
  name               = "${var.name}-${each.key}"
  assume_role_policy = local.started_by_ecs
}

resource "aws_iam_role_policy_attachment" "task" {
  for_each   = local.attachments
  role       = aws_iam_role.task[each.value.role].name
  policy_arn = aws_iam_policy.policy[each.value.policy].arn
}

resource "aws_iam_role_policy" "topic" {
  for_each = var.alert_topic_arn == "" ? {} : { for name, service in local.services : name => service if service.tells }
  name     = "topic"
  role     = aws_iam_role.task[each.key].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sns:Publish", Resource = var.alert_topic_arn }]
  })
}

# For people with `guardlake sql`, `trend`, `investigate`, `alert list`: reads and nothing else.
resource "aws_iam_role" "query" {
  count = var.analyst_arn == "" ? 0 : 1
  name  = "${var.name}-query"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { AWS = var.analyst_arn }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy_attachment" "query" {
  count      = var.analyst_arn == "" ? 0 : 1
  role       = aws_iam_role.query[0].name
  policy_arn = aws_iam_policy.policy["ReadLake"].arn
}

resource "aws_iam_role" "put" {
  name = "${var.name}-put"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "put" {
  name = "put"
  role = aws_iam_role.put.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["kinesis:PutRecord", "kinesis:PutRecords"], Resource = aws_kinesis_stream.stream.arn },
      { Effect = "Allow", Action = "kms:GenerateDataKey", Resource = aws_kms_key.key.arn },
    ]
  })
}

# What ECS itself needs to start a task: the image, the log, the secrets.
resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  assume_role_policy = local.started_by_ecs
}

resource "aws_iam_role_policy" "execution" {
  name = "start"
  role = aws_iam_role.execution.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{ Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = ["${aws_cloudwatch_log_group.logs.arn}:*"] }],
      var.repository_arn == "" ? [] : [
        { Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = ["*"] },
        { Effect = "Allow", Action = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], Resource = [var.repository_arn] },
      ],
      length(var.secrets) == 0 ? [] : [{ Effect = "Allow", Action = ["secretsmanager:GetSecretValue"], Resource = values(var.secrets) }],
    )
  })
}
