locals {
  # What a variable says goes before this environment's own size.
  questdb = { for field, size in local.sizes.questdb : field => try(coalesce(var.questdb[field], size), null) }
}

module "platform" {
  source = "../../modules/platform"
  providers = {
    aws        = aws
    aws.second = aws.second
    aws.global = aws.global
  }

  name                  = coalesce(var.name, local.sizes.name)
  region                = var.region
  second_region         = var.second_region
  zones                 = coalesce(var.zones, local.sizes.zones)
  cidr                  = coalesce(var.cidr, local.sizes.cidr)
  namespace             = local.sizes.namespace
  nat                   = local.sizes.nat
  cluster_admins        = var.cluster_admins
  cluster_public_cidrs  = var.cluster_public_cidrs
  cluster_private_cidrs = var.cluster_private_cidrs
  general               = local.sizes.general
  questdb               = local.questdb
  control_store         = local.sizes.control_store
  keep                  = local.sizes.keep
  copies_in_minutes     = local.sizes.copies_in_minutes
  secrets               = var.secrets
  alert_emails          = var.alert_emails
  budget_monthly_usd    = var.budget_monthly_usd
  anomaly_monitor_arn   = var.anomaly_monitor_arn
  domain                = var.domain
  zone_id               = var.zone_id
  load_balancer         = var.load_balancer
  ingress_cidrs         = var.ingress_cidrs
  gateway_port          = var.gateway_port
  takes_over            = var.takes_over
  features              = var.features
}
