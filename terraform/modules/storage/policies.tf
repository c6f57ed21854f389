locals {
  bucket_actions = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
  object_actions = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
  ]
}

data "aws_iam_policy_document" "access_logs" {
  for_each = { first = local.first, second = local.second }

  statement {
    sid       = "NotesOfRequests"
    actions   = ["s3:PutObject"]
    resources = ["arn:${var.account.partition}:s3:::${var.name}-access-logs-${each.value}/*"]
    principals {
      type        = "Service"
      identifiers = ["logging.s3.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account.id]
    }
  }
}

data "aws_iam_policy_document" "trail" {
  statement {
    sid       = "TrailLooks"
    actions   = ["s3:GetBucketAcl"]
    resources = ["arn:${var.account.partition}:s3:::${local.trail}"]
    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com"]
    }
    condition {
      test     = "StringLike"
      variable = "aws:SourceArn"
      values   = ["arn:${var.account.partition}:cloudtrail:*:${var.account.id}:trail/*"]
    }
  }
  statement {
    sid       = "TrailWrites"
    actions   = ["s3:PutObject"]
    resources = ["arn:${var.account.partition}:s3:::${local.trail}/AWSLogs/${var.account.id}/*"]
    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com"]
    }
    condition {
      test     = "StringLike"
      variable = "aws:SourceArn"
      values   = ["arn:${var.account.partition}:cloudtrail:*:${var.account.id}:trail/*"]
    }
  }
}

# What the service `backup` may do: read and write both buckets. What it deletes becomes an older version, which it
# cannot touch; nothing here lets it lift a lock.
data "aws_iam_policy_document" "backup" {
  source_policy_documents = [data.aws_iam_policy_document.cold.json]

  statement {
    sid       = "BackupBucket"
    actions   = local.bucket_actions
    resources = [module.bucket["backup"].arn]
  }
  statement {
    sid       = "BackupObjects"
    actions   = local.object_actions
    resources = ["${module.bucket["backup"].arn}/*"]
  }
}

# What who reads and writes the lake may do.
data "aws_iam_policy_document" "cold" {
  statement {
    sid       = "ColdBucket"
    actions   = local.bucket_actions
    resources = [module.bucket["cold"].arn]
  }
  statement {
    sid       = "ColdObjects"
    actions   = local.object_actions
    resources = ["${module.bucket["cold"].arn}/*"]
  }
  statement {
    sid       = "KeyThroughS3"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.first.arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.account.region}.amazonaws.com"]
    }
  }
}
