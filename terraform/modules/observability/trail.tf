# What was done in the account, in all regions, signed; and alarms on what nobody should do by hand.

locals {
  # events of a service (or of any) that are told
  events = {
    keys = {
      source = "kms"
      names  = ["DisableKey", "ScheduleKeyDeletion"]
      what   = "A key is switched off or will be deleted: what it encrypts cannot be read any more."
    }
    trail = {
      source = "cloudtrail"
      names  = ["DeleteTrail", "PutEventSelectors", "StopLogging", "UpdateTrail"]
      what   = "The trail itself was changed or stopped."
    }
    buckets = {
      source = "s3"
      names = [
        "DeleteBucketPolicy", "DeleteBucketReplication", "PutBucketLifecycle", "PutBucketPolicy",
        "PutBucketPublicAccessBlock", "PutBucketReplication",
      ]
      what = "Who may reach a bucket, what is copied or how long it is kept was changed."
    }
  }

  watched = merge(
    {
      root = {
        what    = "Somebody worked as the account's root user."
        above   = 0
        pattern = "{ $.userIdentity.type = \"Root\" && $.userIdentity.invokedBy NOT EXISTS }"
      }
      refused = {
        what    = "Many calls were refused: something lacks a right, or somebody tries out what they have."
        above   = 20
        pattern = "{ ($.errorCode = \"*UnauthorizedOperation\") || ($.errorCode = \"AccessDenied*\") }"
      }
    },
    {
      for name, each in local.events : name => {
        what  = each.what
        above = 0
        pattern = format(
          "{ $.eventSource = \"%s.amazonaws.com\" && (%s) }",
          each.source, join(" || ", [for event in each.names : "$.eventName = \"${event}\""]),
        )
      }
    },
  )
}

resource "aws_cloudwatch_log_group" "trail" {
  #checkov:skip=CKV_AWS_338:each environment says how long its logs are kept; prod keeps a year
  name              = "/${var.name}/trail"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.logs_key_arn
}

data "aws_iam_policy_document" "trail_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "trail" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.trail.arn}:log-stream:*"]
  }
}

resource "aws_iam_role" "trail" {
  name               = "${var.name}-trail"
  assume_role_policy = data.aws_iam_policy_document.trail_trust.json
}

resource "aws_iam_role_policy" "trail" {
  name   = "write"
  role   = aws_iam_role.trail.id
  policy = data.aws_iam_policy_document.trail.json
}

resource "aws_cloudtrail" "main" {
  #checkov:skip=CKV_AWS_252:alarms come from its log group; a message for each file would be read by nobody
  name                          = var.name
  s3_bucket_name                = var.trail_bucket
  is_multi_region_trail         = true
  include_global_service_events = true
  enable_log_file_validation    = true
  enable_logging                = var.trail_logging
  kms_key_id                    = var.logs_key_arn
  cloud_watch_logs_group_arn    = "${aws_cloudwatch_log_group.trail.arn}:*"
  cloud_watch_logs_role_arn     = aws_iam_role.trail.arn

  depends_on = [aws_iam_role_policy.trail]
}

resource "aws_cloudwatch_log_metric_filter" "watched" {
  for_each = local.watched

  name           = "${var.name}-${each.key}"
  pattern        = each.value.pattern
  log_group_name = aws_cloudwatch_log_group.trail.name

  metric_transformation {
    name          = "${var.name}-${each.key}"
    namespace     = "Ares/Account"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "watched" {
  for_each = local.watched

  alarm_name          = "${var.name}-account-${each.key}"
  alarm_description   = each.value.what
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  evaluation_periods  = 1
  namespace           = "Ares/Account"
  metric_name         = aws_cloudwatch_log_metric_filter.watched[each.key].metric_transformation[0].name
  period              = 300
  statistic           = "Sum"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
}
