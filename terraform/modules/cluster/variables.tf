variable "name" {
  description = "Name of the cluster and prefix of everything beside it."
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

variable "kubernetes_version" {
  description = "Minor version of Kubernetes; the manifests are checked against the same."
  type        = string
  default     = "1.34"
  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "kubernetes_version = \"${var.kubernetes_version}\": a minor version, as 1.34."
  }
}

variable "node_subnet_ids" {
  description = "Subnets of nodes by zone."
  type        = map(string)
}

variable "api_server_subnet_ids" {
  description = "Subnets of the API server by zone."
  type        = map(string)
}

variable "security_group_ids" {
  description = "Of the module network: control_plane, general and questdb are used."
  type        = map(string)
}

variable "keys" {
  description = "ARNs of KMS keys: `secrets` (Kubernetes' secrets), `data` (disks, images), `logs` (log groups)."
  type = object({
    secrets = string
    data    = string
    logs    = string
  })
}

variable "public_cidrs" {
  description = "Who may reach the API server over the internet. Nobody by default: its address is a private one."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for cidr in var.public_cidrs : can(cidrhost(cidr, 0)) && !endswith(cidr, "/0")])
    error_message = "public_cidrs = ${jsonencode(var.public_cidrs)}: networks as 203.0.113.0/24, never everybody."
  }
}

variable "admins" {
  description = "ARNs of IAM roles that administer the cluster, by a name. Without any, nobody can talk to it."
  type        = map(string)
  validation {
    condition     = alltrue([for arn in values(var.admins) : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/.+$", arn))])
    error_message = "admins = ${jsonencode(var.admins)}: ARNs of roles, as arn:aws:iam::123456789012:role/operator."
  }
}

variable "groups" {
  description = "Node groups. `security_group` is general or questdb; `zones` are names as eu-central-1a."
  type = map(object({
    instance_types = list(string)
    zones          = list(string)
    nodes_min      = number
    nodes_max      = number
    nodes_at_start = number
    disk_gib       = optional(number, 50)
    capacity       = optional(string, "ON_DEMAND")
    security_group = optional(string, "general")
    labels         = optional(map(string), {})
    taints         = optional(list(object({ key = string, value = string, effect = string })), [])
  }))
  validation {
    condition     = alltrue([for name in keys(var.groups) : can(regex("^[a-z][a-z0-9-]{0,30}$", name))])
    error_message = "groups = ${jsonencode(keys(var.groups))}: names of up to 31 lower-case letters, digits, hyphens."
  }
  validation {
    condition = alltrue([
      for group in values(var.groups) :
      0 <= group.nodes_min && group.nodes_min <= group.nodes_at_start
      && group.nodes_at_start <= group.nodes_max && group.nodes_max >= 1
    ])
    error_message = "groups: nodes_min <= nodes_at_start <= nodes_max, and nodes_max at least 1."
  }
  validation {
    condition     = alltrue([for group in values(var.groups) : contains(["ON_DEMAND", "SPOT"], group.capacity)])
    error_message = "groups: capacity is ON_DEMAND or SPOT."
  }
  validation {
    condition     = alltrue([for group in values(var.groups) : contains(["general", "questdb"], group.security_group)])
    error_message = "groups: security_group is general or questdb."
  }
  validation {
    condition = alltrue([
      for group in values(var.groups) : group.security_group != "questdb" || group.capacity == "ON_DEMAND"
    ])
    error_message = "groups: QuestDB on SPOT would be taken away in the middle of a day; use ON_DEMAND."
  }
}

variable "workloads" {
  description = "IAM roles of our service accounts (namespace/name), by name, and what they may do (a policy as JSON)."
  type = map(object({
    service_accounts = set(string)
    policy           = string
  }))
  default = {}
}

variable "addons_enabled" {
  description = "Whether EKS looks after the network plugin, DNS, disks, snapshots and metrics."
  type        = bool
  default     = true
}

variable "access_enabled" {
  description = "Whether `admins` are let in by access entries, and nobody else; off only on a local AWS."
  type        = bool
  default     = true
}

variable "repositories" {
  description = "Repositories of images, below the name."
  type        = set(string)
  default     = ["ares", "questdb"]
}

variable "images_kept" {
  description = "How many images of a repository are kept."
  type        = number
  default     = 50
  validation {
    condition     = var.images_kept >= 10
    error_message = "images_kept = ${var.images_kept}: at least 10, or there is nothing to roll back to."
  }
}

variable "images_copied_to" {
  description = "Region to which images are copied as they are pushed; null: to none."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether `terraform destroy` takes images with it."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "How long the control plane's and the pods' logs are kept, in days."
  type        = number
  default     = 365
}
