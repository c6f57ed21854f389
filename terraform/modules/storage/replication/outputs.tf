output "rule_id" {
  description = "Name of the rule, a dimension of its metrics."
  value       = aws_s3_bucket_replication_configuration.copy.rule[0].id
}
