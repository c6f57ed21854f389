variable "name" {
  description = "Prefix of everything that is made, as `ares-prod`: 3 to 20 characters."
  type        = string
}

variable "region" {
  description = "Where the platform runs; the provider `aws` must be set to it."
  type        = string
  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region = \"${var.region}\": a region of AWS, as eu-central-1."
  }
}

variable "second_region" {
  description = "Where copies go, and the platform after a disaster; the provider `aws.second` must be set to it."
  type        = string
  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.second_region))
    error_message = "second_region = \"${var.second_region}\": a region of AWS, as eu-west-1."
  }
  validation {
    condition     = var.second_region != var.region
    error_message = "second_region = \"${var.second_region}\" is region too: copies would be lost with it."
  }
}

variable "zones" {
  description = "Letters of the availability zones, two to four."
  type        = list(string)
}

variable "cidr" {
  description = "Addresses of the network, /16 to /20."
  type        = string
}

variable "nat" {
  description = "`single` or `per_zone`."
  type        = string
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes."
  type        = string
  default     = "1.34"
}

variable "cluster_admins" {
  description = "ARNs of IAM roles that administer the cluster, by a name."
  type        = map(string)
}

variable "cluster_public_cidrs" {
  description = "Who may reach the API server over the internet."
  type        = set(string)
  default     = []
}

variable "cluster_private_cidrs" {
  description = "Who may reach the API server by its private address, beside the nodes: a VPN's network, a machine."
  type        = set(string)
  default     = []
}

variable "general" {
  description = "Nodes of everything but QuestDB."
  type = object({
    instance_types = list(string)
    nodes_min      = number
    nodes_max      = number
  })
}

variable "questdb" {
  description = "Nodes of QuestDB by name with the letter of their zone, and what each has."
  type = object({
    nodes            = map(string)
    placement        = optional(string, "cluster")
    instance_type    = string
    ami_id           = optional(string)
    size_gib         = number
    iops             = optional(number, 3000)
    throughput_mib_s = optional(number, 125)
  })
  validation {
    condition     = length(var.questdb.nodes) >= 1
    error_message = "questdb.nodes = {}: at least one, as { primary = \"a\" }."
  }
  validation {
    condition = alltrue([for letter in values(var.questdb.nodes) : contains(var.zones, letter)])
    error_message = join(" ", [
      "questdb.nodes = ${jsonencode(var.questdb.nodes)}: each in one of zones = ${jsonencode(var.zones)};",
      "a volume lies in one zone, and its node must be there.",
    ])
  }
}

variable "keep" {
  description = "How long things are kept, in days, and whether `terraform destroy` may take what is worth keeping."
  type = object({
    logs_days        = number
    lock_mode        = string
    lock_days        = number
    superseded_days  = number
    snapshot_hours   = number
    snapshots        = number
    volume_copy_days = number
    recovery_days    = number
    destroyable      = bool
  })
  validation {
    condition     = !var.keep.destroyable || var.keep.lock_mode == "GOVERNANCE"
    error_message = "keep.destroyable = true with lock_mode = \"${var.keep.lock_mode}\": cannot be both."
  }
}

variable "copies_in_minutes" {
  description = "Whether AWS promises and measures copies of buckets within 15 minutes."
  type        = bool
  default     = false
}

variable "secrets" {
  description = "Entries of the secret store beside the usual ones, and rotations; see the module secrets."
  type = map(object({
    description = string
    rotation = optional(object({
      lambda_arn = string
      every_days = number
    }))
  }))
  default = {}
}

variable "namespace" {
  description = "Where Kubernetes runs Ares: the namespace of the overlay."
  type        = string
  default     = "ares"
  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace = \"${var.namespace}\": a namespace of Kubernetes, as ares."
  }
}

variable "service_accounts" {
  description = "Service accounts with the roles of backups, lake, secret store: of `namespace`, or as other/name."
  type = object({
    backup           = optional(set(string), ["questdb"])
    lake             = optional(set(string), ["analytics", "errands", "retention"])
    external_secrets = optional(set(string), ["secrets"])
  })
  default = {}
  validation {
    condition = alltrue([
      for each in flatten([for accounts in values(var.service_accounts) : tolist(accounts)]) :
      can(regex("^([a-z0-9-]{1,63}/)?[a-z0-9.-]{1,63}$", each))
    ])
    error_message = "service_accounts = ${jsonencode(var.service_accounts)}: each as name or namespace/name."
  }
}

variable "control_store" {
  description = "Machine of the control store's Postgres, and whether a standby in another zone takes over."
  type = object({
    instance_class = string
    size_gib       = optional(number, 20)
    multi_az       = bool
  })
}

variable "alert_emails" {
  description = "Who is told of alarms and costs."
  type        = set(string)
  validation {
    condition     = length(var.alert_emails) > 0
    error_message = "alert_emails = []: at least one address; an alarm that nobody gets is none."
  }
}

variable "budget_monthly_usd" {
  description = "What a month may cost, in USD."
  type        = number
}

variable "anomaly_monitor_arn" {
  description = "The account's monitor of services' costs, if it has one: it may have no second. Null: make it."
  type        = string
  default     = null
}

variable "domain" {
  description = "Zone of public names; null: none."
  type        = string
  default     = null
}

variable "zone_id" {
  description = "That zone, if it is there already."
  type        = string
  default     = null
}

variable "load_balancer" {
  description = "Name and zone of the API's load balancer, once Kubernetes has made it."
  type = object({
    dns_name = string
    zone_id  = string
  })
  default = null
}

variable "ingress_cidrs" {
  description = "Who may reach the API's load balancer."
  type        = set(string)
  default     = []
}

variable "gateway_port" {
  description = "Port of the gateway's pods, to which the load balancer sends what users ask of the API."
  type        = number
  default     = 8443
}

variable "takes_over" {
  description = "In the second region, after a disaster: whose copies this stack works with. Null: the first place."
  type = object({
    name            = string
    backup_bucket   = string
    cold_bucket     = string
    buckets_key     = string
    secrets_key     = string
    control_backups = optional(string)
    file_system_id  = optional(string)
  })
  default = null
  validation {
    condition = var.takes_over == null ? true : alltrue([
      for arn in [var.takes_over.buckets_key, var.takes_over.secrets_key] :
      startswith(arn, "arn:") && strcontains(arn, ":kms:${var.region}:")
    ])
    error_message = join(" ", [
      "takes_over: buckets_key and secrets_key are ARNs of the first place's keys in ${var.region};",
      "its output `for_second_place` has them.",
    ])
  }
}

variable "features" {
  description = "What a local AWS cannot do; on AWS all stays on, but account_baseline and anomalies once an account."
  type = object({
    account_baseline    = optional(bool, true)
    anomalies           = optional(bool, true)
    budgets             = optional(bool, true)
    cluster_access      = optional(bool, true)
    cluster_addons      = optional(bool, true)
    copies_of_state     = optional(bool, true)
    instance_monitoring = optional(bool, true)
    query_logging       = optional(bool, true)
    snapshots           = optional(bool, true)
    trail_logging       = optional(bool, true)
  })
  default = {}
}
