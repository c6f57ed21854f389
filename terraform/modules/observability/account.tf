resource "aws_s3_account_public_access_block" "main" {
  count = var.account_baseline ? 1 : 0

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_ebs_encryption_by_default" "main" {
  count = var.account_baseline ? 1 : 0

  enabled = true
}
