output "zone_id" {
  description = "Of the public names; null where there are none."
  value       = local.zone_id
}

output "name_servers" {
  description = "What the registrar, or the zone above, has to point to."
  value       = local.makes ? aws_route53_zone.public[0].name_servers : []
}

output "api_host" {
  description = "Under which name users reach the API."
  value       = local.api
}

output "certificate_arn" {
  description = "For the load balancer's listener."
  value       = local.public ? aws_acm_certificate.api[0].arn : null
}
