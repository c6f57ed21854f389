variable "name" {
  description = "Prefix of everything that is made."
  type        = string
}

variable "account" {
  description = "Where this lies: the account's id, its partition (`aws`), the region."
  type = object({
    id        = string
    partition = string
    region    = string
  })
}

variable "logs_key_arn" {
  description = "KMS key of log groups, topic and trail."
  type        = string
}

variable "log_retention_days" {
  description = "How long logs are kept, in days; one of the lengths that CloudWatch knows."
  type        = number
  default     = 365
  validation {
    condition = contains([7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653], var.log_retention_days)
    error_message = join(" ", [
      "log_retention_days = ${var.log_retention_days}: CloudWatch keeps logs for",
      "7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827 or 3653 days.",
    ])
  }
}

variable "alert_emails" {
  description = "Who is told of alarms and costs; each has to confirm once."
  type        = set(string)
  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", address))])
    error_message = "alert_emails = ${jsonencode(var.alert_emails)}: addresses as ops@example.com."
  }
}

variable "trail_bucket" {
  description = "Where the audit trail lies."
  type        = string
}

variable "nat_gateway_ids" {
  description = "NAT gateways by zone: through them the platform reaches venues."
  type        = map(string)
}

variable "autoscaling_groups" {
  description = "Names of the groups behind the node groups."
  type        = map(string)
}

variable "budget_monthly_usd" {
  description = "What a month may cost, in USD. Told at 50, 80 and 100 %, and when the forecast is beyond."
  type        = number
  validation {
    condition     = var.budget_monthly_usd > 0
    error_message = "budget_monthly_usd = ${var.budget_monthly_usd}: more than 0, in USD."
  }
}

variable "budgets_enabled" {
  description = "Whether costs are watched by a budget."
  type        = bool
  default     = true
}

variable "anomalies_enabled" {
  description = "Whether unusual costs of a service are told."
  type        = bool
  default     = true
}

variable "anomaly_monitor_arn" {
  description = "The account's monitor of services' costs, if it has one: it may have no second. Null: make it."
  type        = string
  default     = null
  validation {
    condition = var.anomaly_monitor_arn == null || can(
      regex("^arn:[a-z-]+:ce::[0-9]{12}:anomalymonitor/.+$", var.anomaly_monitor_arn)
    )
    error_message = join(" ", [
      "anomaly_monitor_arn = ${jsonencode(var.anomaly_monitor_arn)}: an ARN as",
      "arn:aws:ce::123456789012:anomalymonitor/…; `aws ce get-anomaly-monitors` says it.",
    ])
  }
}

variable "anomaly_usd" {
  description = "From which unusual cost on a day, in USD."
  type        = number
  default     = 50
}

variable "account_baseline" {
  description = "Whether the account is hardened (no public buckets, encrypted disks): once an account and region."
  type        = bool
  default     = true
}

variable "trail_logging" {
  description = "Whether the trail is written; off only on a local AWS, which cannot start one."
  type        = bool
  default     = true
}
