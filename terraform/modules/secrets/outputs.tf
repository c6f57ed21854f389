output "key_arns" {
  description = "KMS keys of this region by what they protect: data, secrets, logs."
  value       = { for name, key in aws_kms_key.first : name => key.arn }
}

output "second_key_arns" {
  description = "KMS keys of the second region by what they protect: data, secrets."
  value       = { for name, key in aws_kms_key.second : name => key.arn }
}

output "secret_names" {
  description = "Names of the entries, for External Secrets; they have no values until somebody puts them in."
  value       = { for name, secret in aws_secretsmanager_secret.main : name => secret.name }
}

output "read_policy" {
  description = "What External Secrets may do, as JSON."
  value       = data.aws_iam_policy_document.read.json
}
