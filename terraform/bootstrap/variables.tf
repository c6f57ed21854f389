variable "name" {
  description = "Prefix of the buckets; account and region follow it."
  type        = string
  default     = "ares"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name = \"${var.name}\": 3 to 20 lower-case letters, digits, hyphens, a letter first, as ares."
  }
}

variable "region" {
  description = "Where the states lie."
  type        = string
  default     = "eu-central-1"
}

variable "second_region" {
  description = "Where they are copied to: with the region the states would be lost too."
  type        = string
  default     = "eu-west-1"
  validation {
    condition     = var.second_region != var.region
    error_message = "second_region = \"${var.second_region}\" is region too: name another one."
  }
}

variable "versions_days" {
  description = "How long older versions of a state are kept, in days."
  type        = number
  default     = 365
  validation {
    condition     = var.versions_days >= 30
    error_message = "versions_days = ${var.versions_days}: at least 30; an older one is the way out of a broken state."
  }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` takes the states with it. For tests."
  type        = bool
  default     = false
}

variable "default_tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = { Project = "ares", ManagedBy = "terraform" }
}

variable "s3_use_path_style" {
  description = "For a local AWS: buckets are paths, not hosts."
  type        = bool
  default     = false
}

variable "max_retries" {
  description = "How often a call is tried again; few for a local AWS."
  type        = number
  default     = 25
}
