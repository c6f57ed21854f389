variable "name" {
  description = "Prefix of buckets and keys; account and region follow it, for buckets are unique among all of AWS."
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

variable "second_region" {
  description = "Where copies go."
  type        = string
  validation {
    condition     = var.second_region != var.account.region
    error_message = "second_region = \"${var.second_region}\" is the first one: copies would be lost with it."
  }
}

variable "lock_mode" {
  description = "Of backups and cold tier: GOVERNANCE, or COMPLIANCE, which nobody can lift."
  type        = string
  default     = "GOVERNANCE"
}

variable "lock_days" {
  description = "How long what was written to them cannot be taken away, in days."
  type        = number
  default     = 14
}

variable "superseded_days" {
  description = "How long versions that were overwritten or deleted are kept, in days; more than lock_days."
  type        = number
  default     = 30
}

variable "copies_in_minutes" {
  description = "Whether AWS promises copies in the second region within 15 minutes and measures it, with an alarm."
  type        = bool
  default     = false
}

variable "trail_days" {
  description = "How long the audit trail of the account is kept, in days."
  type        = number
  default     = 400
  validation {
    condition     = var.trail_days >= 90
    error_message = "trail_days = ${var.trail_days}: at least 90; a theft is often found months after."
  }
}

variable "access_log_days" {
  description = "How long notes of requests to buckets are kept, in days."
  type        = number
  default     = 90
}

variable "alarm_topic_arn" {
  description = "Who is told of alarms."
  type        = string
}

variable "force_destroy" {
  description = "Whether `terraform destroy` takes what is stored with it. Never where anything is worth keeping."
  type        = bool
  default     = false
}
