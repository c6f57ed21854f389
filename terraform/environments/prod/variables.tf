variable "region" {
  description = "Where the platform runs."
  type        = string
  default     = "eu-central-1"
}

variable "second_region" {
  description = "Where copies go."
  type        = string
  default     = "eu-west-1"
}

variable "zones" {
  description = "Letters of the availability zones; null: as many as this environment wants, from a on."
  type        = list(string)
  default     = null
}

variable "cidr" {
  description = "Addresses of the network; null: this environment's own."
  type        = string
  default     = null
}

variable "cluster_admins" {
  description = "ARNs of IAM roles that administer the cluster, by a name."
  type        = map(string)
}

variable "cluster_public_cidrs" {
  description = "Who may reach the API server over the internet. Nobody by default."
  type        = set(string)
  default     = []
}

variable "cluster_private_cidrs" {
  description = "Who may reach the API server by its private address, beside the nodes: a VPN's network, a machine."
  type        = set(string)
  default     = []
}

variable "alert_emails" {
  description = "Who is told of alarms and costs."
  type        = set(string)
}

variable "budget_monthly_usd" {
  description = "What a month may cost, in USD; work it out first (docs/guides/operator/cloud.md)."
  type        = number
}

variable "anomaly_monitor_arn" {
  description = "The account's monitor of services' costs (aws ce get-anomaly-monitors); null: there is none, make it."
  type        = string
  default     = null
}

variable "domain" {
  description = "Zone of public names, as ares.example.com; null: none."
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
  description = "Who may reach the API's load balancer. Nobody by default."
  type        = set(string)
  default     = []
}

variable "gateway_port" {
  description = "Port of the gateway's pods, to which the load balancer sends what users ask of the API."
  type        = number
  default     = 8443
}

variable "secrets" {
  description = "Entries of the secret store beside the usual ones, and rotations; see modules/secrets."
  type = map(object({
    description = string
    rotation = optional(object({
      lambda_arn = string
      every_days = number
    }))
  }))
  default = {}
}

variable "questdb" {
  description = "What differs from this environment's own sizes of QuestDB; see modules/platform."
  type = object({
    nodes            = optional(map(string))
    placement        = optional(string)
    instance_type    = optional(string)
    ami_id           = optional(string)
    size_gib         = optional(number)
    iops             = optional(number)
    throughput_mib_s = optional(number)
  })
  default = {}
}

variable "name" {
  description = "Prefix of everything that is made; null: this environment's. Another one for the second place."
  type        = string
  default     = null
}

variable "takes_over" {
  description = "In the second region, after a disaster: the first place's output `for_second_place`."
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
}

variable "features" {
  description = "What a local AWS cannot do, or another stack of the account has; see modules/platform."
  type        = map(bool)
  default     = {}
  validation {
    condition = length(setsubtract(keys(var.features), [
      "account_baseline", "anomalies", "budgets", "cluster_access", "cluster_addons", "copies_of_state",
      "instance_monitoring", "query_logging", "snapshots", "trail_logging",
    ])) == 0
    error_message = join(" ", [
      "features = ${jsonencode(keys(var.features))}: account_baseline, anomalies, budgets, cluster_access,",
      "cluster_addons, copies_of_state, instance_monitoring, query_logging, snapshots, trail_logging are known.",
    ])
  }
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
  description = "How often a call is tried again; few for a local AWS, which never learns what it does not know."
  type        = number
  default     = 25
  validation {
    condition     = var.max_retries >= 0 && var.max_retries <= 50
    error_message = "max_retries = ${var.max_retries}: 0 to 50."
  }
}
