variable "name" {
  description = "Prefix of keys and secrets."
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
  description = "Where every secret has a replica, under a key of that region."
  type        = string
}

variable "entries" {
  description = "Secrets by name: what for, and which Lambda function of yours rotates them, if any. Values come later."
  type = map(object({
    description = string
    rotation = optional(object({
      lambda_arn = string
      every_days = number
    }))
  }))
  validation {
    condition     = alltrue([for name in keys(var.entries) : can(regex("^[a-z][a-z0-9-]*(/[a-z0-9-]+)*$", name))])
    error_message = "entries = ${jsonencode(keys(var.entries))}: names as database or venues/binance."
  }
  validation {
    condition     = alltrue([for each in values(var.entries) : length(each.description) >= 10])
    error_message = "entries: a description of at least 10 characters says what a secret is for."
  }
  validation {
    condition = alltrue([
      for each in values(var.entries) : each.rotation == null ? true : (
        can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:.+$", each.rotation.lambda_arn))
        && each.rotation.every_days >= 1 && each.rotation.every_days <= 1000
      )
    ])
    error_message = "entries: rotation is the ARN of a Lambda function and every_days from 1 to 1000."
  }
}

variable "recovery_days" {
  description = "For how long a deleted secret or key can be brought back, in days; 0 for secrets that go at once."
  type        = number
  default     = 30
  validation {
    condition     = var.recovery_days == 0 || (var.recovery_days >= 7 && var.recovery_days <= 30)
    error_message = "recovery_days = ${var.recovery_days}: 7 to 30, or 0 where nothing is worth keeping."
  }
}

variable "alarm_topic_arn" {
  description = "Who is told when a rotation fails or a secret is deleted."
  type        = string
}

variable "read_prefix" {
  description = "Whose secrets are read, where they are not this stack's own: the first place's replicas."
  type        = string
  default     = null
}

variable "read_key_arn" {
  description = "Key of those."
  type        = string
  default     = null
}
