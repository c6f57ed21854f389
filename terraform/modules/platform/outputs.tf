locals {
  # In the second region: the first place's replicas, and images as they were copied when they were pushed.
  secret_names = var.takes_over == null ? module.secrets.secret_names : {
    for name in keys(merge(local.secrets, var.secrets)) : name => "${var.takes_over.name}/${name}"
  }
  images = var.takes_over == null ? module.cluster.repository_urls : {
    for name in ["ares", "questdb"] :
    name => "${local.account.id}.dkr.ecr.${var.region}.amazonaws.com/${var.takes_over.name}/${name}"
  }
}

output "kustomize" {
  description = "What the manifests of Kubernetes need to know; nothing of it is secret."
  value = {
    cluster             = module.cluster.name
    region              = var.region
    namespace           = var.namespace
    role_arns           = module.cluster.role_arns
    service_accounts    = module.cluster.service_accounts
    images              = local.images
    volumes             = module.tsdb.volumes
    volume_key_arn      = module.secrets.key_arns["data"]
    buckets             = module.storage.buckets
    secret_names        = local.secret_names
    file_system_id      = module.state.file_system_id
    ranges              = module.network.ranges
    load_balancer_group = module.network.security_group_ids["load_balancer"]
    certificate_arn     = module.dns.certificate_arn
    api_host            = module.dns.api_host
    pods_log_group      = module.cluster.pods_log_group
  }
}

output "cluster" {
  description = "Name and address of the API server, and the group of the nodes, whose members reach it."
  value = {
    name                 = module.cluster.name
    endpoint             = module.cluster.endpoint
    nodes_security_group = module.network.security_group_ids["general"]
  }
}

output "control_store" {
  description = "Address of the control store, and the secret in which AWS keeps its master's password."
  value       = module.state.control_store
}

output "addresses" {
  description = "From these addresses the platform reaches venues: bind the venue's keys to them."
  value       = module.network.nat_public_ips
}

output "name_servers" {
  description = "What the registrar has to point to."
  value       = module.dns.name_servers
}

output "questdb_instances" {
  description = "Instances of QuestDB outside of the cluster, if any."
  value       = module.tsdb.instances
}

output "for_second_place" {
  description = "What a stack in the second region needs as takes_over and zone_id: write it down before the disaster."
  value = {
    takes_over = {
      name          = var.name
      backup_bucket = module.storage.copies["backup"].id
      cold_bucket   = module.storage.copies["cold"].id
      buckets_key   = module.storage.key_arns["second"]
      secrets_key   = module.secrets.second_key_arns["secrets"]

      control_backups = module.state.copies.control_backups
      file_system_id  = module.state.copies.file_system_id
    }
    zone_id = module.dns.zone_id
  }
}
