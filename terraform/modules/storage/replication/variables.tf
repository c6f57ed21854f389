variable "name" {
  description = "Prefix of the role that copies."
  type        = string
}

variable "source_bucket" {
  description = "What is copied: name and ARN of the bucket, ARN of its key. It must have versions."
  type = object({
    id      = string
    arn     = string
    key_arn = string
  })
}

variable "target_bucket" {
  description = "Where to: name and ARN of the bucket in the other region, ARN of its key there. It must have versions."
  type = object({
    id      = string
    arn     = string
    key_arn = string
  })
}

variable "account" {
  description = "Where the source lies: the account's id, its partition (`aws`), the region."
  type = object({
    id        = string
    partition = string
    region    = string
  })
}

variable "second_region" {
  description = "Where the target lies."
  type        = string
}

variable "storage_class" {
  description = "Of copies."
  type        = string
  default     = "STANDARD_IA"
}

variable "in_minutes" {
  description = "Whether AWS promises copies within 15 minutes, and measures how far they are behind. Costs more."
  type        = bool
  default     = false
}
