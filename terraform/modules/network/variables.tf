variable "name" {
  description = "Prefix of everything that is made, as `ares-prod`: 3 to 20 characters."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name = \"${var.name}\": 3 to 20 lower-case letters, digits, hyphens, a letter first, as ares-prod."
  }
}

variable "account" {
  description = "Where this lies: the account's id, its partition (`aws`), the region."
  type = object({
    id        = string
    partition = string
    region    = string
  })
}

variable "cidr" {
  description = "Addresses of the network, /16 to /20. Must not overlap with what it will be connected to."
  type        = string
  default     = "10.20.0.0/16"
  validation {
    condition     = can(cidrhost(var.cidr, 0)) && can(regex("/(16|17|18|19|20)$", var.cidr))
    error_message = "cidr = \"${var.cidr}\": a network of /16 to /20, as 10.20.0.0/16."
  }
}

variable "zones" {
  description = "Letters of the availability zones. Named, not discovered: a new zone of the region moves nothing."
  type        = list(string)
  default     = ["a", "b", "c"]
  validation {
    condition     = length(distinct(var.zones)) == length(var.zones) && length(var.zones) >= 2 && length(var.zones) <= 4
    error_message = "zones = ${jsonencode(var.zones)}: two to four different letters; with one, a failure takes all."
  }
  validation {
    condition     = alltrue([for letter in var.zones : can(regex("^[a-z]$", letter))])
    error_message = "zones = ${jsonencode(var.zones)}: letters only, as [\"a\", \"b\"]; the region is put before them."
  }
}

variable "nat" {
  description = "`single`: one NAT gateway, cheaper, lost with its zone. `per_zone`: one in each."
  type        = string
  default     = "per_zone"
  validation {
    condition     = contains(["single", "per_zone"], var.nat)
    error_message = "nat = \"${var.nat}\": single or per_zone."
  }
}

variable "interface_endpoints" {
  description = "Services of AWS that are reached without leaving the network. Nodes of QuestDB reach no others."
  type        = set(string)
  default     = ["autoscaling", "ec2", "ecr.api", "ecr.dkr", "kms", "logs", "secretsmanager", "sts"]
  validation {
    condition = length(setsubtract(["ec2", "ecr.api", "ecr.dkr", "sts"], var.interface_endpoints)) == 0
    error_message = join(" ", [
      "interface_endpoints = ${jsonencode(var.interface_endpoints)}: ec2, ecr.api, ecr.dkr and sts must be among them,",
      "for nodes of QuestDB have no other way to join the cluster and to get images.",
    ])
  }
}

variable "database_ports" {
  description = "Ports of QuestDB's nodes that the general nodes may reach, by what they are."
  type        = map(number)
  default = {
    http       = 9000
    pg         = 8812
    health     = 9003
    probes     = 9100
    mesh       = 4143
    mesh_admin = 4191
  }
  validation {
    condition     = alltrue([for port in values(var.database_ports) : port > 0 && port < 65536 && port == floor(port)])
    error_message = "database_ports = ${jsonencode(var.database_ports)}: whole numbers from 1 to 65535."
  }
}

variable "webhook_ports" {
  description = "Ports of pods on the general nodes that Kubernetes' API server calls (admission, metrics)."
  type        = set(number)
  default     = [443, 4443, 6443, 8089, 8443, 9443, 10251]
}

variable "venue_ports" {
  description = "Ports on the internet that general nodes may reach: HTTPS, what venues use beside it, and mail."
  type        = set(number)
  default     = [443, 587, 8443, 9443]
}

variable "gateway_port" {
  description = "Port of the gateway's pods, to which the load balancer sends what users ask of the API."
  type        = number
  default     = 8443
  validation {
    condition     = var.gateway_port > 0 && var.gateway_port < 65536 && var.gateway_port == floor(var.gateway_port)
    error_message = "gateway_port = ${var.gateway_port}: a whole number from 1 to 65535."
  }
}

variable "ingress_cidrs" {
  description = "Who may reach the load balancer by HTTPS. Nobody by default."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for cidr in var.ingress_cidrs : can(cidrhost(cidr, 0))])
    error_message = "ingress_cidrs = ${jsonencode(var.ingress_cidrs)}: networks as 203.0.113.0/24."
  }
}

variable "api_server_cidrs" {
  description = "Whence people reach Kubernetes' API server within the network, or over a VPN. Nobody by default."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for cidr in var.api_server_cidrs : can(cidrhost(cidr, 0)) && !endswith(cidr, "/0")])
    error_message = "api_server_cidrs = ${jsonencode(var.api_server_cidrs)}: networks as 10.8.0.0/24, never everybody."
  }
}

variable "watched" {
  description = "Whether Route 53 asks the load balancer from outside how it is."
  type        = bool
  default     = false
}

variable "logs_key_arn" {
  description = "KMS key of log groups."
  type        = string
}

variable "log_retention_days" {
  description = "How long flow logs are kept, in days; one of the lengths that CloudWatch knows."
  type        = number
  default     = 365
}
