# What Route 53 does it measures and logs in us-east-1, wherever the platform is.

locals {
  global = local.owner ? 1 : 0
}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:a key's policy speaks of that key alone, whatever its resource says
  #checkov:skip=CKV_AWS_111:as above
  #checkov:skip=CKV_AWS_356:as above
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${var.account.partition}:iam::${var.account.id}:root"]
    }
  }
  statement {
    sid       = "Alarms"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account.id]
    }
  }
  statement {
    sid       = "Queries"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["logs.us-east-1.amazonaws.com"]
    }
    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:${var.account.partition}:logs:us-east-1:${var.account.id}:log-group:*"]
    }
  }
}

resource "aws_kms_key" "global" {
  provider = aws.global
  count    = local.global

  description             = "${var.name}: names"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_sns_topic" "places" {
  provider = aws.global
  count    = local.global

  name              = "${var.name}-places"
  kms_master_key_id = aws_kms_key.global[0].arn
}

data "aws_iam_policy_document" "places" {
  count = local.global

  statement {
    sid       = "Alarms"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.places[0].arn]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account.id]
    }
  }
}

resource "aws_sns_topic_policy" "places" {
  provider = aws.global
  count    = local.global

  arn    = aws_sns_topic.places[0].arn
  policy = data.aws_iam_policy_document.places[0].json
}

resource "aws_sns_topic_subscription" "places" {
  provider = aws.global
  for_each = local.owner ? var.alert_emails : toset([])

  topic_arn = aws_sns_topic.places[0].arn
  protocol  = "email"
  endpoint  = each.value
}

# Of the first place only, once there is something that can answer.
resource "aws_cloudwatch_metric_alarm" "first" {
  provider = aws.global
  count    = local.owner && var.load_balancer != null ? 1 : 0

  alarm_name          = "${var.name}-first-away"
  alarm_description   = "The first place does not answer from outside: users are sent to the second one."
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = 2
  namespace           = "AWS/Route53"
  metric_name         = "HealthCheckStatus"
  period              = 60
  statistic           = "Minimum"
  dimensions          = { HealthCheckId = aws_route53_health_check.place["first"].id }
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.places[0].arn]
  ok_actions          = [aws_sns_topic.places[0].arn]
}

resource "aws_cloudwatch_log_group" "queries" {
  provider = aws.global
  count    = local.makes ? 1 : 0

  #checkov:skip=CKV_AWS_338:each environment says how long its logs are kept; prod keeps a year
  name              = "/aws/route53/${var.domain}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.global[0].arn
}

data "aws_iam_policy_document" "queries" {
  count = local.makes ? 1 : 0

  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.queries[0].arn}:*"]
    principals {
      type        = "Service"
      identifiers = ["route53.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account.id]
    }
  }
}

resource "aws_cloudwatch_log_resource_policy" "queries" {
  provider = aws.global
  count    = local.makes ? 1 : 0

  policy_name     = "${var.name}-queries"
  policy_document = data.aws_iam_policy_document.queries[0].json
}

resource "aws_route53_query_log" "public" {
  count = local.makes && var.query_logging ? 1 : 0

  zone_id                  = aws_route53_zone.public[0].zone_id
  cloudwatch_log_group_arn = aws_cloudwatch_log_group.queries[0].arn
  depends_on               = [aws_cloudwatch_log_resource_policy.queries]
}
