# Where the states of all environments lie: once an account, before everything else.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account = {
    id        = data.aws_caller_identity.current.account_id
    partition = data.aws_partition.current.partition
    region    = var.region
  }
  first  = "${local.account.id}-${var.region}"
  second = "${local.account.id}-${var.second_region}"
}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:a key's policy speaks of that key alone, whatever its resource says; IAM says who
  #checkov:skip=CKV_AWS_111:as above
  #checkov:skip=CKV_AWS_356:as above
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${local.account.partition}:iam::${local.account.id}:root"]
    }
  }
}

resource "aws_kms_key" "first" {
  description             = "States of Terraform"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "first" {
  name          = "alias/${var.name}-state"
  target_key_id = aws_kms_key.first.key_id
}

resource "aws_kms_key" "second" {
  provider = aws.second

  description             = "Copies of states of Terraform"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "second" {
  provider = aws.second

  name          = "alias/${var.name}-state"
  target_key_id = aws_kms_key.second.key_id
}

data "aws_iam_policy_document" "access_logs" {
  statement {
    sid       = "NotesOfRequests"
    actions   = ["s3:PutObject"]
    resources = ["arn:${local.account.partition}:s3:::${var.name}-state-logs-${local.first}/*"]
    principals {
      type        = "Service"
      identifiers = ["logging.s3.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account.id]
    }
  }
}

module "access_logs" {
  source = "../modules/storage/bucket"

  name            = "${var.name}-state-logs-${local.first}"
  key             = null
  expire_days     = 365
  superseded_days = 7
  force_destroy   = var.force_destroy
  policies        = [data.aws_iam_policy_document.access_logs.json]
}

module "state" {
  source = "../modules/storage/bucket"

  name            = "${var.name}-state-${local.first}"
  key             = { arn = aws_kms_key.first.arn }
  superseded_days = var.versions_days
  access_logs     = { bucket = module.access_logs.id }
  force_destroy   = var.force_destroy
}

module "copy" {
  source    = "../modules/storage/bucket"
  providers = { aws = aws.second }

  name            = "${var.name}-state-${local.second}"
  key             = { arn = aws_kms_key.second.arn }
  superseded_days = var.versions_days
  force_destroy   = var.force_destroy
}

module "replication" {
  source = "../modules/storage/replication"

  name          = "${var.name}-state"
  account       = local.account
  second_region = var.second_region
  source_bucket = { id = module.state.id, arn = module.state.arn, key_arn = aws_kms_key.first.arn }
  target_bucket = { id = module.copy.id, arn = module.copy.arn, key_arn = aws_kms_key.second.arn }
  storage_class = "STANDARD"
}
