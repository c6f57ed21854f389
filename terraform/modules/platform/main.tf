# The whole platform from its modules. Environments (terraform/environments) say how large and how careful.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account = {
    id        = data.aws_caller_identity.current.account_id
    partition = data.aws_partition.current.partition
    region    = var.region
  }
  in_cluster = var.questdb.placement == "cluster"

  # A volume stays in its zone, so that each zone with a database has a node group of its own.
  questdb_zones = {
    for letter in distinct(values(var.questdb.nodes)) :
    letter => length([for other in values(var.questdb.nodes) : other if other == letter])
    if local.in_cluster
  }

  groups = merge(
    {
      general = {
        instance_types = var.general.instance_types
        zones          = [for letter in var.zones : "${var.region}${letter}"]
        nodes_min      = var.general.nodes_min
        nodes_max      = var.general.nodes_max
        nodes_at_start = var.general.nodes_min
        security_group = "general"
        labels         = { "ares.io/nodes" = "general" }
        taints         = []
      }
    },
    {
      for letter, count in local.questdb_zones : "questdb-${letter}" => {
        instance_types = [var.questdb.instance_type]
        zones          = ["${var.region}${letter}"]
        nodes_min      = count
        nodes_max      = count + 1
        nodes_at_start = count
        security_group = "questdb"
        labels         = { "ares.io/nodes" = "questdb" }
        taints         = [{ key = "ares.io/questdb", value = "true", effect = "NO_SCHEDULE" }]
      }
    },
  )
}

module "network" {
  source = "../network"

  name               = var.name
  account            = local.account
  cidr               = var.cidr
  zones              = var.zones
  nat                = var.nat
  ingress_cidrs      = var.ingress_cidrs
  api_server_cidrs   = var.cluster_private_cidrs
  watched            = var.load_balancer != null
  gateway_port       = var.gateway_port
  logs_key_arn       = module.secrets.key_arns["logs"]
  log_retention_days = var.keep.logs_days

  interface_endpoints = concat(
    ["autoscaling", "ec2", "ecr.api", "ecr.dkr", "kms", "logs", "secretsmanager", "sts"],
    local.in_cluster ? [] : ["ec2messages", "ssm", "ssmmessages"],
  )
  # Outside of the cluster no mesh encrypts: Ares' own TLS proxy stands before QuestDB.
  database_ports = local.in_cluster ? {
    http       = 9000
    pg         = 8812
    health     = 9003
    probes     = 9100
    mesh       = 4143
    mesh_admin = 4191
    } : {
    http   = 9443
    pg     = 8843
    health = 9444
    probes = 9100
  }
}

module "secrets" {
  source    = "../secrets"
  providers = { aws = aws, aws.second = aws.second }

  name            = var.name
  account         = local.account
  second_region   = var.second_region
  entries         = var.takes_over == null ? merge(local.secrets, var.secrets) : {}
  recovery_days   = var.keep.destroyable ? 0 : var.keep.recovery_days
  alarm_topic_arn = module.observability.topic_arn
  read_prefix     = try(var.takes_over.name, null)
  read_key_arn    = try(var.takes_over.secrets_key, null)
}

module "storage" {
  source    = "../storage"
  providers = { aws = aws, aws.second = aws.second }

  name              = var.name
  account           = local.account
  second_region     = var.second_region
  lock_mode         = var.keep.lock_mode
  lock_days         = var.keep.lock_days
  superseded_days   = var.keep.superseded_days
  copies_in_minutes = var.copies_in_minutes
  alarm_topic_arn   = module.observability.topic_arn
  force_destroy     = var.keep.destroyable
}

module "cluster" {
  source = "../cluster"

  name               = var.name
  account            = local.account
  kubernetes_version = var.kubernetes_version
  security_group_ids = module.network.security_group_ids
  public_cidrs       = var.cluster_public_cidrs
  admins             = var.cluster_admins
  groups             = local.groups
  addons_enabled     = var.features.cluster_addons
  access_enabled     = var.features.cluster_access
  repositories       = var.takes_over == null ? ["ares", "questdb"] : []
  images_copied_to   = var.takes_over == null && var.features.account_baseline ? var.second_region : null
  force_destroy      = var.keep.destroyable
  log_retention_days = var.keep.logs_days

  node_subnet_ids       = module.network.private_subnet_ids
  api_server_subnet_ids = module.network.inner_subnet_ids["api_server"]

  keys = {
    secrets = module.secrets.key_arns["secrets"]
    data    = module.secrets.key_arns["data"]
    logs    = module.secrets.key_arns["logs"]
  }
  workloads = {
    for name, policy in {
      backup           = local.backup_policy
      lake             = module.storage.policies["cold"]
      external_secrets = module.secrets.read_policy
    } :
    replace(name, "_", "-") => {
      service_accounts = [
        for each in var.service_accounts[name] : strcontains(each, "/") ? each : "${var.namespace}/${each}"
      ]
      policy = policy
    }
  }
}

module "tsdb" {
  source    = "../tsdb"
  providers = { aws = aws, aws.second = aws.second }

  name              = var.name
  account           = local.account
  nodes             = { for name, letter in var.questdb.nodes : name => { zone = "${var.region}${letter}" } }
  placement         = var.questdb.placement
  size_gib          = var.questdb.size_gib
  iops              = var.questdb.iops
  throughput_mib_s  = var.questdb.throughput_mib_s
  final_snapshot    = !var.keep.destroyable
  snapshots_enabled = var.features.snapshots
  snapshot_hours    = var.keep.snapshot_hours
  snapshots_kept    = var.keep.snapshots
  copies_kept_days  = var.keep.volume_copy_days
  force_destroy     = var.keep.destroyable
  alarm_topic_arn   = module.observability.topic_arn
  subnet_ids        = module.network.private_subnet_ids
  security_group_id = module.network.security_group_ids["questdb"]
  instance_type     = var.questdb.instance_type
  monitoring        = var.features.instance_monitoring
  ami_id            = var.questdb.ami_id
  instance_policies = { backup = local.backup_policy, secrets = module.secrets.read_policy }

  keys = {
    data        = module.secrets.key_arns["data"]
    data_second = module.secrets.second_key_arns["data"]
  }
}

module "state" {
  source    = "../state"
  providers = { aws = aws, aws.second = aws.second }

  name               = var.name
  account            = local.account
  second_region      = var.second_region
  node_subnet_ids    = module.network.private_subnet_ids
  control_subnet_ids = module.network.inner_subnet_ids["control_store"]
  security_group_ids = module.network.security_group_ids
  instance_class     = var.control_store.instance_class
  size_gib           = var.control_store.size_gib
  multi_az           = var.control_store.multi_az
  copies_kept_days   = var.keep.volume_copy_days
  copies_enabled     = var.features.copies_of_state
  restore_from       = var.takes_over
  log_retention_days = var.keep.logs_days
  alarm_topic_arn    = module.observability.topic_arn
  force_destroy      = var.keep.destroyable

  keys = {
    data        = module.secrets.key_arns["data"]
    secrets     = module.secrets.key_arns["secrets"]
    logs        = module.secrets.key_arns["logs"]
    data_second = module.secrets.second_key_arns["data"]
  }
}

module "observability" {
  source = "../observability"

  name               = var.name
  account            = local.account
  logs_key_arn       = module.secrets.key_arns["logs"]
  log_retention_days = var.keep.logs_days
  alert_emails       = var.alert_emails
  trail_bucket       = module.storage.buckets["trail"]
  nat_gateway_ids    = module.network.nat_gateway_ids
  autoscaling_groups = module.cluster.autoscaling_groups
  budget_monthly_usd = var.budget_monthly_usd
  budgets_enabled    = var.features.budgets
  account_baseline   = var.features.account_baseline
  trail_logging      = var.features.trail_logging

  # The second place comes to an account whose one monitor is there: it has to be named, or the first place's tells.
  anomalies_enabled   = var.features.anomalies && (var.takes_over == null || var.anomaly_monitor_arn != null)
  anomaly_monitor_arn = var.anomaly_monitor_arn
}

module "dns" {
  source    = "../dns"
  providers = { aws = aws, aws.global = aws.global }

  name               = var.name
  account            = local.account
  domain             = var.domain
  zone_id            = var.zone_id
  site               = var.takes_over == null ? "first" : "second"
  load_balancer      = var.load_balancer
  alert_emails       = var.alert_emails
  vpc_id             = module.network.vpc_id
  query_logging      = var.features.query_logging
  private_records    = { for name, each in module.tsdb.instances : "questdb-${name}" => [each.private_ip] }
  log_retention_days = var.keep.logs_days
  force_destroy      = var.keep.destroyable
}
