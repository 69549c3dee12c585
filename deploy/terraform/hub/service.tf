# What deploy/cloudformation/service.yaml makes.

resource "aws_cloudwatch_log_group" "logs" {
  #checkov:skip=CKV_AWS_338:90 days by default; what must be kept longer is in the lake.
  name              = "/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.key.arn
}

resource "aws_ecs_cluster" "cluster" {
  #checkov:skip=CKV_AWS_65:The alarms need nothing of Container Insights; it costs more than they.
  name = var.name
}

# There is no container health check: the image has no shell and no HTTP client, and no command of guardlake asks a running process.
resource "aws_ecs_task_definition" "task" {
  for_each                 = local.services
  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.task_cpu
  memory                   = var.task_memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task[each.key].arn
  runtime_platform {
    cpu_architecture        = var.cpu_architecture
    operating_system_family = "LINUX"
  }
  volume {
    name = "tmp"
  }
  container_definitions = jsonencode([{
    name                   = "guardlake"
    image                  = var.image
    command                = ["run", "--roles", each.value.roles]
    user                   = "65532:65532"
    readonlyRootFilesystem = true
    linuxParameters        = { capabilities = { drop = ["ALL"] } }
    mountPoints            = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
    stopTimeout            = 120
    environment = concat([
      { name = "AWS_REGION", value = local.region },
      { name = "GUARDLAKE__LAKE__URI", value = "s3://${aws_s3_bucket.lake.bucket}/lake" },
      { name = "GUARDLAKE__LAKE__RETENTION", value = var.retention },
      { name = "GUARDLAKE__STREAM__NAME", value = aws_kinesis_stream.stream.arn },
      { name = "GUARDLAKE__LOG__LEVEL", value = var.log_level },
      { name = "GUARDLAKE__LOG__FORMAT", value = "json" },
    ], var.notify_file == "" ? [] : [{ name = "GUARDLAKE__NOTIFY__FILE", value = var.notify_file }])
    secrets = each.value.tells ? [for name, arn in var.secrets : { name = name, valueFrom = arn }] : []
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.logs.name
        "awslogs-region"        = local.region
        "awslogs-stream-prefix" = each.key
      }
    }
  }])
}

# The old task ends before the new one begins: Kinesis keeps what comes in between, and two of them would only do work twice.
# (Rebalancing, on by default, asks for more than 100 %.)
resource "aws_ecs_service" "service" {
  for_each                           = local.services
  name                               = "${var.name}-${each.key}"
  cluster                            = aws_ecs_cluster.cluster.id
  task_definition                    = aws_ecs_task_definition.task[each.key].arn
  launch_type                        = "FARGATE"
  desired_count                      = var.desired_count
  availability_zone_rebalancing      = "DISABLED"
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = var.security_group_ids
    assign_public_ip = var.assign_public_ip
  }
}
