# Keys by what they protect: who may read secrets need not read disks.
#   data     volumes, snapshots, images
#   secrets  Secrets Manager, Kubernetes' secrets
#   logs     log groups, topics, the trail

locals {
  root = "arn:${var.account.partition}:iam::${var.account.id}:root"

  keys = {
    data    = data.aws_iam_policy_document.data.json
    secrets = data.aws_iam_policy_document.secrets.json
    logs    = data.aws_iam_policy_document.logs.json
  }
  second_keys = {
    data    = data.aws_iam_policy_document.data_second.json
    secrets = data.aws_iam_policy_document.secrets.json
  }
}

data "aws_iam_policy_document" "secrets" {
  #checkov:skip=CKV_AWS_109:a key's policy speaks of that key alone, whatever its resource says; IAM says who
  #checkov:skip=CKV_AWS_111:as above
  #checkov:skip=CKV_AWS_356:as above
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = [local.root]
    }
  }
}

# What EC2 and its autoscaling make for this account they may encrypt: as AWS' own key for disks says it. The roles that
# do so are made by AWS when they are first needed, so that they cannot be named here.
data "aws_iam_policy_document" "disks" {
  for_each = toset([var.account.region, var.second_region])

  #checkov:skip=CKV_AWS_109:bounded to this account and to EC2 by its conditions
  #checkov:skip=CKV_AWS_111:as above
  #checkov:skip=CKV_AWS_283:as above
  #checkov:skip=CKV_AWS_356:a key's policy speaks of that key alone
  statement {
    sid = "Disks"
    actions = [
      "kms:CreateGrant",
      "kms:Decrypt",
      "kms:DescribeKey",
      "kms:Encrypt",
      "kms:GenerateDataKey*",
      "kms:ReEncrypt*",
    ]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "StringEquals"
      variable = "kms:CallerAccount"
      values   = [var.account.id]
    }
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["ec2.${each.key}.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "data" {
  source_policy_documents = [
    data.aws_iam_policy_document.secrets.json,
    data.aws_iam_policy_document.disks[var.account.region].json,
  ]
}

data "aws_iam_policy_document" "data_second" {
  source_policy_documents = [
    data.aws_iam_policy_document.secrets.json,
    data.aws_iam_policy_document.disks[var.second_region].json,
  ]
}

data "aws_iam_policy_document" "logs" {
  #checkov:skip=CKV_AWS_109:a key's policy speaks of that key alone, whatever its resource says
  #checkov:skip=CKV_AWS_111:as above
  #checkov:skip=CKV_AWS_356:as above
  source_policy_documents = [data.aws_iam_policy_document.secrets.json]

  statement {
    sid       = "LogGroups"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["logs.${var.account.region}.amazonaws.com"]
    }
    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:${var.account.partition}:logs:${var.account.region}:${var.account.id}:log-group:*"]
    }
  }

  statement {
    sid       = "WhoPublishesAlarms"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = [for service in ["budgets", "cloudwatch", "costalerts"] : "${service}.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account.id]
    }
  }

  statement {
    sid       = "Events"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
  }

  statement {
    sid       = "Trail"
    actions   = ["kms:DescribeKey", "kms:GenerateDataKey*"]
    resources = ["*"]
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

resource "aws_kms_key" "first" {
  for_each = local.keys

  description             = "${var.name}: ${each.key}"
  enable_key_rotation     = true
  deletion_window_in_days = max(7, var.recovery_days)
  policy                  = each.value
}

resource "aws_kms_alias" "first" {
  for_each = aws_kms_key.first

  name          = "alias/${var.name}-${each.key}"
  target_key_id = each.value.key_id
}

resource "aws_kms_key" "second" {
  provider = aws.second
  for_each = local.second_keys

  description             = "${var.name}: ${each.key}, copies"
  enable_key_rotation     = true
  deletion_window_in_days = max(7, var.recovery_days)
  policy                  = each.value
}

resource "aws_kms_alias" "second" {
  provider = aws.second
  for_each = aws_kms_key.second

  name          = "alias/${var.name}-${each.key}"
  target_key_id = each.value.key_id
}
