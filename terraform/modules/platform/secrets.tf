locals {
  # What the manifests of Kubernetes read. Names and fields only: values are put in by hand, never through Terraform.
  secrets = {
    control          = { description = "Control store, address with its password: url", rotation = null }
    database         = { description = "QuestDB's users: password, readonly_password", rotation = null }
    trader           = { description = "Who commands the trader shows it: control_token", rotation = null }
    "venues/binance" = { description = "May trade, never withdraw: api_key, api_secret", rotation = null }
    access           = { description = "Signs tokens of the API, seals second factors: key", rotation = null }
    models           = { description = "Registry of models, a Postgres or MLflow: tracking_uri", rotation = null }
    backup           = { description = "Encrypts the repository; without it no backups: password", rotation = null }
    alerts           = { description = "token, dead_man_url, slack_url, email_password", rotation = null }
  }

  backup_policy = data.aws_iam_policy_document.backup.json
}

# The role of backups; in the second region also what a restore from the first one's copies needs: to read them, and
# to set restic's locks there.
data "aws_iam_policy_document" "backup" {
  source_policy_documents = [module.storage.policies["backup"]]

  dynamic "statement" {
    for_each = var.takes_over == null ? [] : [var.takes_over]
    content {
      sid       = "CopiesList"
      actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
      resources = [for name in local.copies : "arn:${local.account.partition}:s3:::${name}"]
    }
  }
  dynamic "statement" {
    for_each = var.takes_over == null ? [] : [var.takes_over]
    content {
      sid       = "CopiesRead"
      actions   = ["s3:GetObject"]
      resources = [for name in local.copies : "arn:${local.account.partition}:s3:::${name}/*"]
    }
  }
  dynamic "statement" {
    for_each = var.takes_over == null ? [] : [var.takes_over]
    content {
      sid       = "CopiesLock"
      actions   = ["s3:DeleteObject", "s3:PutObject"]
      resources = ["arn:${local.account.partition}:s3:::${statement.value.backup_bucket}/*locks/*"]
    }
  }
  dynamic "statement" {
    for_each = var.takes_over == null ? [] : [var.takes_over]
    content {
      sid       = "CopiesKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value.buckets_key]
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${var.region}.amazonaws.com"]
      }
    }
  }
}

locals {
  copies = var.takes_over == null ? [] : [var.takes_over.backup_bucket, var.takes_over.cold_bucket]
}
