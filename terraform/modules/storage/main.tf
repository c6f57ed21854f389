# Buckets: `backup` (restic), `cold` (Delta Lake), `trail` (what was done in the account), `access-logs` (requests to
# the other ones). The first two are locked, and copied to the second region under a key of that region.

locals {
  first  = "${var.account.id}-${var.account.region}"
  second = "${var.account.id}-${var.second_region}"
  trail  = "${var.name}-trail-${local.first}"

  copied = {
    # restic reads a few large files seldom: cheaper classes, all of them read at once
    backup = [{ after_days = 30, class = "STANDARD_IA" }, { after_days = 90, class = "GLACIER_IR" }]
    # who asks for old days asks for the same ones for a while: AWS finds out which
    cold = [{ after_days = 30, class = "INTELLIGENT_TIERING" }]
  }
}

module "access_logs" {
  source = "./bucket"

  name            = "${var.name}-access-logs-${local.first}"
  key             = null
  expire_days     = var.access_log_days
  superseded_days = 7
  force_destroy   = var.force_destroy
  policies        = [data.aws_iam_policy_document.access_logs["first"].json]
}

module "access_logs_second" {
  source    = "./bucket"
  providers = { aws = aws.second }

  name            = "${var.name}-access-logs-${local.second}"
  key             = null
  expire_days     = var.access_log_days
  superseded_days = 7
  force_destroy   = var.force_destroy
  policies        = [data.aws_iam_policy_document.access_logs["second"].json]
}

module "bucket" {
  source   = "./bucket"
  for_each = local.copied

  name            = "${var.name}-${each.key}-${local.first}"
  key             = { arn = aws_kms_key.first.arn }
  object_lock     = true
  lock_mode       = var.lock_mode
  lock_days       = var.lock_days
  superseded_days = var.superseded_days
  storage_classes = each.value
  access_logs     = { bucket = module.access_logs.id }
  force_destroy   = var.force_destroy
}

module "copy" {
  source    = "./bucket"
  providers = { aws = aws.second }
  for_each  = local.copied

  name            = "${var.name}-${each.key}-${local.second}"
  key             = { arn = aws_kms_key.second.arn }
  object_lock     = true
  lock_mode       = var.lock_mode
  lock_days       = var.lock_days
  superseded_days = var.superseded_days
  storage_classes = [for class in each.value : class if class.class == "GLACIER_IR"]
  access_logs     = { bucket = module.access_logs_second.id }
  force_destroy   = var.force_destroy
}

module "replication" {
  source   = "./replication"
  for_each = local.copied

  name          = "${var.name}-${each.key}"
  account       = var.account
  second_region = var.second_region
  in_minutes    = var.copies_in_minutes

  source_bucket = {
    id      = module.bucket[each.key].id
    arn     = module.bucket[each.key].arn
    key_arn = aws_kms_key.first.arn
  }
  target_bucket = {
    id      = module.copy[each.key].id
    arn     = module.copy[each.key].arn
    key_arn = aws_kms_key.second.arn
  }
}

module "trail" {
  source = "./bucket"

  name            = local.trail
  key             = { arn = aws_kms_key.first.arn }
  object_lock     = true
  lock_mode       = var.lock_mode
  lock_days       = var.lock_days
  superseded_days = var.superseded_days
  expire_days     = var.trail_days
  access_logs     = { bucket = module.access_logs.id }
  force_destroy   = var.force_destroy
  policies        = [data.aws_iam_policy_document.trail.json]
}

resource "aws_cloudwatch_metric_alarm" "behind" {
  for_each = var.copies_in_minutes ? local.copied : {}

  alarm_name          = "${var.name}-${each.key}-copies-behind"
  alarm_description   = "Copies of ${each.key} in ${var.second_region} are more than 15 minutes behind."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 900
  evaluation_periods  = 3
  namespace           = "AWS/S3"
  metric_name         = "ReplicationLatency"
  period              = 300
  statistic           = "Maximum"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
  dimensions = {
    SourceBucket      = module.bucket[each.key].id
    DestinationBucket = module.copy[each.key].id
    RuleId            = module.replication[each.key].rule_id
  }
}
