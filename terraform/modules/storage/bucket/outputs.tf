output "id" {
  description = "Name of the bucket, once it is as it should be: who writes to it may be refused before."
  value       = aws_s3_bucket.main.id
  depends_on = [
    aws_s3_bucket_ownership_controls.main,
    aws_s3_bucket_policy.main,
    aws_s3_bucket_public_access_block.main,
    aws_s3_bucket_server_side_encryption_configuration.main,
    aws_s3_bucket_versioning.main,
  ]
}

output "arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.main.arn
}
