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

variable "second_region" {
  description = "Where copies go."
  type        = string
}

variable "keys" {
  description = "ARNs of KMS keys: `data`, `secrets`, `logs`, and `data_second` of the second region."
  type = object({
    data        = string
    secrets     = string
    logs        = string
    data_second = string
  })
}

variable "node_subnet_ids" {
  description = "Subnets of nodes by zone: the folder has an address in each."
  type        = map(string)
}

variable "control_subnet_ids" {
  description = "Subnets of the control store by zone."
  type        = map(string)
}

variable "security_group_ids" {
  description = "Of the module network: control_store and files are used."
  type        = map(string)
}

variable "postgres_version" {
  description = "Major version of Postgres; minor ones come by themselves in the maintenance window."
  type        = string
  default     = "17"
  validation {
    condition     = can(regex("^1[5-9]$", var.postgres_version))
    error_message = "postgres_version = \"${var.postgres_version}\": a major version from 15 on, as 17."
  }
}

variable "instance_class" {
  description = "Size of the control store's machine."
  type        = string
  default     = "db.t4g.medium"
  validation {
    condition     = startswith(var.instance_class, "db.")
    error_message = "instance_class = \"${var.instance_class}\": a class of RDS, as db.t4g.medium."
  }
}

variable "size_gib" {
  description = "Room of the control store at first, in GiB; it grows to four times that by itself."
  type        = number
  default     = 20
  validation {
    condition     = var.size_gib >= 20 && var.size_gib <= 4096
    error_message = "size_gib = ${var.size_gib}: 20 to 4096."
  }
}

variable "multi_az" {
  description = "Whether a standby in another zone takes over by itself."
  type        = bool
  default     = true
}

variable "copies_kept_days" {
  description = "How far back the control store can be restored to any moment, in days, in both regions."
  type        = number
  default     = 35
  validation {
    condition     = var.copies_kept_days >= 1 && var.copies_kept_days <= 35
    error_message = "copies_kept_days = ${var.copies_kept_days}: 1 to 35; RDS keeps no more."
  }
}

variable "copies_enabled" {
  description = "Whether copies go to the second region."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "How long logs are kept, in days."
  type        = number
  default     = 365
}

variable "alarm_topic_arn" {
  description = "Who is told of alarms."
  type        = string
}

variable "force_destroy" {
  description = "Whether `terraform destroy` takes the control store and its copies with it."
  type        = bool
  default     = false
}

variable "restore_from" {
  description = "In the second region: what the control store is made of, the copy of the folder. Null: both are new."
  type = object({
    control_backups = optional(string)
    file_system_id  = optional(string)
  })
  default = null
  validation {
    condition = try(var.restore_from.control_backups, null) == null ? true : (
      strcontains(var.restore_from.control_backups, ":rds:${var.account.region}:")
    )
    error_message = join(" ", [
      "restore_from = ${jsonencode(var.restore_from)}: control_backups is the ARN of automated backups in",
      "${var.account.region}, as arn:aws:rds:${var.account.region}:123456789012:auto-backup:ab-0123456789.",
    ])
  }
}
