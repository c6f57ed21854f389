variable "name" {
  description = "Name of the bucket; unique among all accounts of AWS."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "name = \"${var.name}\": 3 to 63 lower-case letters, digits and hyphens."
  }
}

variable "key" {
  description = "KMS key of what is stored; null: S3's own, which is all that a bucket of access logs may have."
  type        = object({ arn = string })
}

variable "object_lock" {
  description = "Whether versions can be locked. Cannot be changed afterwards."
  type        = bool
  default     = false
}

variable "lock_mode" {
  description = "GOVERNANCE: who has a right of its own may lift a lock. COMPLIANCE: nobody can, AWS neither."
  type        = string
  default     = "GOVERNANCE"
  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.lock_mode)
    error_message = "lock_mode = \"${var.lock_mode}\": GOVERNANCE or COMPLIANCE."
  }
}

variable "lock_days" {
  description = "How long each version is locked from when it was written, in days."
  type        = number
  default     = 14
  validation {
    condition     = var.lock_days >= 1 && var.lock_days <= 3650 && var.lock_days == floor(var.lock_days)
    error_message = "lock_days = ${var.lock_days}: whole days, 1 to 3650."
  }
}

variable "storage_classes" {
  description = "Cheaper classes by the days after which an object moves there."
  type        = list(object({ after_days = number, class = string }))
  default     = []
  validation {
    condition = alltrue([
      for each in var.storage_classes : contains(["STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR"], each.class)
    ])
    error_message = join(" ", [
      "storage_classes = ${jsonencode(var.storage_classes[*].class)}: STANDARD_IA, INTELLIGENT_TIERING or GLACIER_IR;",
      "from the others a restore or a question would first wait for hours.",
    ])
  }
}

variable "superseded_days" {
  description = "How long a version that was overwritten or deleted is kept, in days."
  type        = number
  default     = 30
  validation {
    condition     = !var.object_lock || var.superseded_days > var.lock_days
    error_message = "superseded_days = ${var.superseded_days}: more than lock_days = ${var.lock_days}."
  }
}

variable "expire_days" {
  description = "After how many days an object itself goes; null: never."
  type        = number
  default     = null
}

variable "access_logs" {
  description = "Bucket in which requests are noted; null: nowhere."
  type        = object({ bucket = string })
  default     = null
}

variable "policies" {
  description = "Statements of the bucket's policy beside the refusals that every bucket has, as JSON."
  type        = list(string)
  default     = []
}

variable "force_destroy" {
  description = "Whether `terraform destroy` takes what is stored with it."
  type        = bool
  default     = false
}
