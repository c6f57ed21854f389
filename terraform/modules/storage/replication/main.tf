# Copies a bucket to one in another region, under a key of that region, by a role that can do nothing else.

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "copy" {
  statement {
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [var.source_bucket.arn]
  }
  statement {
    actions = [
      "s3:GetObjectLegalHold",
      "s3:GetObjectRetention",
      "s3:GetObjectVersionAcl",
      "s3:GetObjectVersionForReplication",
      "s3:GetObjectVersionTagging",
    ]
    resources = ["${var.source_bucket.arn}/*"]
  }
  statement {
    actions   = ["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"]
    resources = ["${var.target_bucket.arn}/*"]
  }
  statement {
    actions   = ["kms:Decrypt"]
    resources = [var.source_bucket.key_arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.account.region}.amazonaws.com"]
    }
  }
  statement {
    actions   = ["kms:Encrypt", "kms:GenerateDataKey"]
    resources = [var.target_bucket.key_arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.second_region}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "copy" {
  name               = "${var.name}-copy"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "copy" {
  name   = "copy"
  role   = aws_iam_role.copy.id
  policy = data.aws_iam_policy_document.copy.json
}

resource "aws_s3_bucket_replication_configuration" "copy" {
  bucket = var.source_bucket.id
  role   = aws_iam_role.copy.arn

  rule {
    id       = "second-region"
    priority = 1
    status   = "Enabled"
    filter {}

    delete_marker_replication {
      status = "Enabled"
    }
    source_selection_criteria {
      sse_kms_encrypted_objects {
        status = "Enabled"
      }
    }
    destination {
      bucket        = "arn:${var.account.partition}:s3:::${var.target_bucket.id}"
      storage_class = var.storage_class
      encryption_configuration {
        replica_kms_key_id = var.target_bucket.key_arn
      }
      dynamic "replication_time" {
        for_each = var.in_minutes ? [15] : []
        content {
          status = "Enabled"
          time {
            minutes = replication_time.value
          }
        }
      }
      dynamic "metrics" {
        for_each = var.in_minutes ? [15] : []
        content {
          status = "Enabled"
          event_threshold {
            minutes = metrics.value
          }
        }
      }
    }
  }

  depends_on = [aws_iam_role_policy.copy]
}
