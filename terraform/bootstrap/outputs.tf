output "backend" {
  description = "For backend.hcl of every environment; each has a `key` of its own."
  value       = { bucket = module.state.id, region = var.region, kms_key_id = aws_kms_key.first.arn }
}

output "second_backend" {
  description = "The same in the second region, for when the first one is lost."
  value       = { bucket = module.copy.id, region = var.second_region, kms_key_id = aws_kms_key.second.arn }
}
