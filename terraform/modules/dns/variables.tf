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

variable "domain" {
  description = "The zone, as ares.example.com; the API is `api.` before it. Null: no public names."
  type        = string
  default     = null
  validation {
    condition     = var.domain == null ? true : can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain = ${jsonencode(var.domain)}: lower case, no dot at its end, as ares.example.com."
  }
}

variable "zone_id" {
  description = "A zone that is there already; null: it is made. The second region works in the first one's."
  type        = string
  default     = null
  validation {
    condition     = var.zone_id == null ? true : can(regex("^Z[A-Z0-9]{5,31}$", var.zone_id))
    error_message = "zone_id = ${jsonencode(var.zone_id)}: the id of a zone, as Z0123456789ABCDEFGHIJ."
  }
}

variable "site" {
  description = "Which of the two places this is: `first` owns the names that move, `second` only its own."
  type        = string
  default     = "first"
  validation {
    condition     = contains(["first", "second"], var.site)
    error_message = "site = \"${var.site}\": first or second."
  }
  validation {
    condition     = var.site == "first" || var.domain == null || var.zone_id != null
    error_message = "site = \"second\" without zone_id: the zone is the first place's; take its id from there."
  }
}

variable "load_balancer" {
  description = "Name and zone of the API's load balancer, once Kubernetes has made it; null before."
  type = object({
    dns_name = string
    zone_id  = string
  })
  default = null
}

variable "health_path" {
  description = "What is asked of the API to see whether this place works; it must answer without a login."
  type        = string
  default     = "/api/v1/openapi.json"
  validation {
    condition     = startswith(var.health_path, "/")
    error_message = "health_path = \"${var.health_path}\": a path, as /api/v1/openapi.json."
  }
}

variable "alert_emails" {
  description = "Who is told that the first place does not answer, by a topic in us-east-1, where Route 53 measures."
  type        = set(string)
  default     = []
}

variable "vpc_id" {
  description = "Network that sees the private names."
  type        = string
}

variable "private_domain" {
  description = "Zone of private names."
  type        = string
  default     = "ares.internal"
}

variable "private_records" {
  description = "Private addresses by name, as questdb = [\"10.20.16.10\"]. None: no private zone."
  type        = map(list(string))
  default     = {}
}

variable "log_retention_days" {
  description = "How long queries of the zone are kept, in days."
  type        = number
  default     = 365
}

variable "force_destroy" {
  description = "Whether `terraform destroy` takes a zone with the records that others made in it."
  type        = bool
  default     = false
}

variable "query_logging" {
  description = "Whether queries of the zone are logged."
  type        = bool
  default     = true
}
