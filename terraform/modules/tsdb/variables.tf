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

variable "nodes" {
  description = "QuestDB's data volumes by the node they are for, and the zone of each, as eu-central-1a."
  type        = map(object({ zone = string }))
  validation {
    condition     = alltrue([for name in keys(var.nodes) : can(regex("^[a-z][a-z0-9-]{0,20}$", name))])
    error_message = "nodes = ${jsonencode(keys(var.nodes))}: names of up to 21 lower-case letters, digits, hyphens."
  }
}

variable "placement" {
  description = "`cluster`: volumes for pods of the cluster. `ec2`: an instance outside of it for each volume."
  type        = string
  default     = "cluster"
  validation {
    condition     = contains(["cluster", "ec2"], var.placement)
    error_message = "placement = \"${var.placement}\": cluster or ec2."
  }
}

variable "size_gib" {
  description = "Size of a data volume, in GiB. It can grow, never shrink."
  type        = number
  validation {
    condition     = var.size_gib >= 20 && var.size_gib <= 16384
    error_message = "size_gib = ${var.size_gib}: 20 to 16384."
  }
}

variable "iops" {
  description = "Operations a second of a data volume. gp3: 3000 to 16000, and at most 500 for each GiB."
  type        = number
  default     = 3000
  validation {
    condition     = var.iops >= 3000 && var.iops <= 16000
    error_message = "iops = ${var.iops}: 3000 to 16000; gp3 does no more."
  }
  validation {
    condition     = var.iops <= 500 * var.size_gib
    error_message = "iops = ${var.iops}: at most ${500 * var.size_gib}, 500 for each GiB of size_gib."
  }
}

variable "throughput_mib_s" {
  description = "Throughput of a data volume, in MiB/s. gp3: 125 to 1000, and at most a quarter of `iops`."
  type        = number
  default     = 125
  validation {
    condition     = var.throughput_mib_s >= 125 && var.throughput_mib_s <= 1000
    error_message = "throughput_mib_s = ${var.throughput_mib_s}: 125 to 1000; gp3 does no more."
  }
  validation {
    condition     = var.throughput_mib_s <= var.iops / 4
    error_message = "throughput_mib_s = ${var.throughput_mib_s}: at most ${var.iops / 4}, a quarter of iops."
  }
}

variable "final_snapshot" {
  description = "Whether a volume that is destroyed leaves a snapshot."
  type        = bool
  default     = true
}

variable "keys" {
  description = "ARNs of KMS keys: `data` of volumes and their copies, `data_second` of copies in the second region."
  type = object({
    data        = string
    data_second = string
  })
}

variable "snapshots_enabled" {
  description = "Whether the volumes are copied: every few hours here (DLM), daily to the second region (AWS Backup)."
  type        = bool
  default     = true
}

variable "snapshot_hours" {
  description = "Hours between two snapshots in this region."
  type        = number
  default     = 1
  validation {
    condition     = contains([1, 2, 3, 4, 6, 8, 12, 24], var.snapshot_hours)
    error_message = "snapshot_hours = ${var.snapshot_hours}: 1, 2, 3, 4, 6, 8, 12 or 24."
  }
}

variable "snapshots_kept" {
  description = "How many of those are kept."
  type        = number
  default     = 24
  validation {
    condition     = var.snapshots_kept >= 1 && var.snapshots_kept <= 1000
    error_message = "snapshots_kept = ${var.snapshots_kept}: 1 to 1000."
  }
}

variable "copies_kept_days" {
  description = "How long a daily copy is kept, in days, in both regions."
  type        = number
  default     = 35
  validation {
    condition     = var.copies_kept_days >= 7
    error_message = "copies_kept_days = ${var.copies_kept_days}: at least 7; so long the vaults let nobody delete any."
  }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` takes copies with it."
  type        = bool
  default     = false
}

variable "alarm_topic_arn" {
  description = "Who is told of alarms."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets by zone, for instances."
  type        = map(string)
  default     = {}
}

variable "security_group_id" {
  description = "Of instances; null where there are none."
  type        = string
  default     = null
}

variable "instance_type" {
  description = "Of instances. QuestDB lives on memory: an r type."
  type        = string
  default     = "r7i.xlarge"
}

variable "ami_id" {
  description = "Image of instances (Amazon Linux 2023), named, so that a new one replaces no database by surprise."
  type        = string
  default     = null
  validation {
    condition = var.placement != "ec2" || can(regex("^ami-[0-9a-f]{8,17}$", var.ami_id))
    error_message = join(" ", [
      "ami_id = ${jsonencode(var.ami_id)}: with placement = \"ec2\" an image as ami-0123456789abcdef0; find it by",
      "aws ssm get-parameter --name /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    ])
  }
}

variable "instance_policies" {
  description = "What instances may do, by name: policies as JSON."
  type        = map(string)
  default     = {}
}

variable "monitoring" {
  description = "Whether instances are measured every minute."
  type        = bool
  default     = true
}
