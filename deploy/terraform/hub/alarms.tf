# The alarms of hub.yaml and service.yaml.

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = aws_kms_key.key.key_id
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.alarms.arn
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_sns_topic_subscription" "mail" {
  count     = var.alarm_email == "" ? 0 : 1
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

# Standard error is the only thing that leaves the task: ingest says once a minute how far behind it is.
locals {
  filters = {
    MillisBehind = { pattern = "{ $.message = \"following\" }", value = "$.millis_behind" }
    Errors       = { pattern = "{ $.level = \"ERROR\" }", value = "1" }
    Restarts     = { pattern = "\"it begins again in\"", value = "1" }
  }
  alarms = merge({
    # Without a reader there is no such metric.
    stream-is-read-late = {
      namespace = "AWS/Kinesis", metric = "GetRecords.IteratorAgeMilliseconds", dimensions = { StreamName = var.name }
      statistic = "Maximum", period = 300, times = 3, comparison = "GreaterThanThreshold", threshold = 300000, missing = "breaching"
    }
    findings-undelivered = {
      namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = "${var.name}-undelivered" }
      statistic = "Maximum", period = 300, times = 1, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
    }
    is-behind = {
      namespace = var.name, metric = "MillisBehind", dimensions = {}
      statistic = "Maximum", period = 300, times = 3, comparison = "GreaterThanThreshold", threshold = 300000, missing = "breaching"
    }
    says-errors = {
      namespace = var.name, metric = "Errors", dimensions = {}
      statistic = "Sum", period = 300, times = 1, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
    }
    roles-restart = {
      namespace = var.name, metric = "Restarts", dimensions = {}
      statistic = "Sum", period = 900, times = 1, comparison = "GreaterThanThreshold", threshold = 3, missing = "notBreaching"
    }
    }, {
    for name, service in local.services : "no-${name}-task" => {
      namespace = "AWS/ECS", metric = "CPUUtilization", dimensions = { ClusterName = var.name, ServiceName = "${var.name}-${name}" }
      statistic = "SampleCount", period = 300, times = 2, comparison = "LessThanThreshold", threshold = 1, missing = "breaching"
    }
  })
}

resource "aws_cloudwatch_log_metric_filter" "filter" {
  for_each       = local.filters
  name           = each.key
  log_group_name = aws_cloudwatch_log_group.logs.name
  pattern        = each.value.pattern
  metric_transformation {
    namespace = var.name
    name      = each.key
    value     = each.value.value
  }
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "docs/deploy.md, \"When an alarm rings\"."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.times
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}
