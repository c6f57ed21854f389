# api.<domain> is first.api.<domain> as long as that answers, and second.api.<domain> when it does not. Each place sets
# its own name, so that in a disaster nothing of the lost region has to be changed.

locals {
  public  = var.domain != null
  owner   = local.public && var.site == "first"
  makes   = local.public && var.zone_id == null
  zone_id = local.makes ? aws_route53_zone.public[0].zone_id : var.zone_id
  api     = local.public ? "api.${var.domain}" : null
  places  = local.owner ? toset(["first", "second"]) : toset([])
}

resource "aws_route53_zone" "public" {
  #checkov:skip=CKV2_AWS_38:DNSSEC needs a record at the registrar, and a mistake there takes the domain away: by hand
  count = local.makes ? 1 : 0

  name          = var.domain
  comment       = "Ares: ${var.name}"
  force_destroy = var.force_destroy
}

resource "aws_route53_record" "place" {
  count = local.public && var.load_balancer != null ? 1 : 0

  zone_id = local.zone_id
  name    = "${var.site}.${local.api}"
  type    = "A"

  alias {
    name                   = var.load_balancer.dns_name
    zone_id                = var.load_balancer.zone_id
    evaluate_target_health = true
  }
}

resource "aws_route53_health_check" "place" {
  for_each = local.places

  fqdn              = "${each.key}.${local.api}"
  type              = "HTTPS"
  port              = 443
  resource_path     = var.health_path
  request_interval  = 30
  failure_threshold = 3
  measure_latency   = false
  tags              = { Name = "${var.name}-${each.key}" }
}

resource "aws_route53_record" "api" {
  for_each = local.places

  zone_id         = local.zone_id
  name            = local.api
  type            = "CNAME"
  ttl             = 60
  records         = ["${each.key}.${local.api}"]
  set_identifier  = each.key
  health_check_id = aws_route53_health_check.place[each.key].id

  failover_routing_policy {
    type = each.key == "first" ? "PRIMARY" : "SECONDARY"
  }
}

# Valid for the name that moves and for this place's own. Issued once the registrar points to the zone; nobody waits.
resource "aws_acm_certificate" "api" {
  count = local.public ? 1 : 0

  domain_name               = local.api
  subject_alternative_names = ["${var.site}.${local.api}"]
  validation_method         = "DNS"
  tags                      = { Name = var.name }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "certificate" {
  for_each = local.public ? toset([local.api, "${var.site}.${local.api}"]) : toset([])

  zone_id         = local.zone_id
  name            = local.validation[each.key].resource_record_name
  type            = local.validation[each.key].resource_record_type
  records         = [local.validation[each.key].resource_record_value]
  ttl             = 300
  allow_overwrite = true
}

locals {
  validation = local.public ? {
    for each in aws_acm_certificate.api[0].domain_validation_options : each.domain_name => each
  } : {}
}

resource "aws_route53_zone" "private" {
  #checkov:skip=CKV2_AWS_38:a private zone cannot be signed
  #checkov:skip=CKV2_AWS_39:a private zone's queries are the network's own
  count = length(var.private_records) > 0 ? 1 : 0

  name          = var.private_domain
  comment       = "Ares, inside: ${var.name}"
  force_destroy = var.force_destroy
  vpc {
    vpc_id = var.vpc_id
  }
}

resource "aws_route53_record" "private" {
  #checkov:skip=CKV2_AWS_23:addresses of QuestDB's instances, which the caller makes
  for_each = var.private_records

  zone_id = aws_route53_zone.private[0].zone_id
  name    = "${each.key}.${var.private_domain}"
  type    = "A"
  ttl     = 30
  records = each.value
}
