# What the parameters of deploy/cloudformation/hub.yaml, hub-access.yaml and service.yaml are called there.

variable "name" {
  description = "Name of the stream, the bus, the cluster and so on."
  type        = string
  default     = "guardlake"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,20}$", var.name))
    error_message = "Small letters, figures and hyphens, 3 to 21."
  }
}

variable "organization_id" {
  description = "o-..., whose members may put into the bus."
  type        = string
  validation {
    condition     = can(regex("^o-[a-z0-9]{10,32}$", var.organization_id))
    error_message = "As `aws organizations describe-organization` says it."
  }
}

variable "direct_from_members" {
  description = "Whether rules of members in this Region put into the stream themselves."
  type        = bool
  default     = false
}

variable "stream_shards" {
  description = "Shards of the stream. 0 is on demand."
  type        = number
  default     = 0
}

variable "stream_retention_hours" {
  description = "How long Kinesis keeps records."
  type        = number
  default     = 168
}

variable "bucket_encryption" {
  description = "kms is the key of this module, with bucket keys. s3 is SSE-S3."
  type        = string
  default     = "kms"
  validation {
    condition     = contains(["kms", "s3"], var.bucket_encryption)
    error_message = "kms or s3."
  }
}

variable "noncurrent_days" {
  description = "How many days a deleted object can be brought back. 0 suspends versioning."
  type        = number
  default     = 7
}

variable "log_retention_days" {
  type    = number
  default = 90
}

variable "alarm_email" {
  description = "Address that alarms are mailed to. Empty for none."
  type        = string
  default     = ""
}

variable "image" {
  description = "Container image with its digest or tag, as deploy/container/Containerfile makes it."
  type        = string
}

variable "repository_arn" {
  description = "ARN of the ECR repository that the image is in. Empty for a public registry."
  type        = string
  default     = ""
}

variable "subnet_ids" {
  type = list(string)
}

variable "security_group_ids" {
  type = list(string)
}

variable "assign_public_ip" {
  type    = bool
  default = false
}

variable "layout" {
  description = "one: one service with all roles. apart: four services with a task role each."
  type        = string
  default     = "one"
  validation {
    condition     = contains(["one", "apart"], var.layout)
    error_message = "one or apart."
  }
}

variable "desired_count" {
  type    = number
  default = 1
  validation {
    condition     = contains([0, 1], var.desired_count)
    error_message = "0 or 1."
  }
}

variable "cpu_architecture" {
  type    = string
  default = "ARM64"
}

variable "task_cpu" {
  type    = number
  default = 1024
}

variable "task_memory" {
  type    = number
  default = 2048
}

variable "retention" {
  description = "lake.retention of guardlake."
  type        = string
  default     = "400d"
}

variable "notify_file" {
  description = "Path in the image of the file of channels and routes. Empty: alerts are told in the log."
  type        = string
  default     = ""
}

variable "secrets" {
  description = "Environment variables of the task that tells, and the ARNs of their secrets: { SLACK_TOKEN = \"arn:...\" }."
  type        = map(string)
  default     = {}
}

variable "alert_topic_arn" {
  description = "ARN of an SNS topic that an sns channel publishes to. Empty for none."
  type        = string
  default     = ""
}

variable "analyst_arn" {
  description = "ARN of the role or account root that may assume the query role. Empty: there is no such role."
  type        = string
  default     = ""
}

variable "log_level" {
  description = "log.level of guardlake. The alarm on lag reads a line of ingest that is written at info."
  type        = string
  default     = "warn,ingest=info"
}
