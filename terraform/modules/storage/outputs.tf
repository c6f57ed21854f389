output "buckets" {
  description = "Names of the buckets of the first region, by what they hold."
  value = merge(
    { for name, bucket in module.bucket : name => bucket.id },
    { access_logs = module.access_logs.id, trail = module.trail.id },
  )
}

output "copies" {
  description = "The second region's buckets, by what they hold: name and ARN."
  value       = { for name, bucket in module.copy : name => { id = bucket.id, arn = bucket.arn } }
}

output "key_arns" {
  description = "KMS keys of the buckets, in the first and the second region."
  value       = { first = aws_kms_key.first.arn, second = aws_kms_key.second.arn }
}

output "policies" {
  description = "What `backup` and who uses the `cold` tier may do, as JSON."
  value       = { backup = data.aws_iam_policy_document.backup.json, cold = data.aws_iam_policy_document.cold.json }
}
