# Who is told of what: a topic, alarms on nodes and NAT, the account's audit trail with alarms on what nobody should do
# by hand, a budget and unusual costs.

resource "aws_sns_topic" "alerts" {
  name              = "${var.name}-alerts"
  kms_master_key_id = var.logs_key_arn
}

data "aws_iam_policy_document" "alerts" {
  statement {
    sid       = "WhoPublishes"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]
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
  # EventBridge's calls are not known to carry an account or a rule to compare with.
  statement {
    sid       = "Events"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
  }
  statement {
    sid       = "RefuseWithoutTLS"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.alerts.json
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.alert_emails

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_cloudwatch_metric_alarm" "nat_full" {
  for_each = var.nat_gateway_ids

  alarm_name          = "${var.name}-nat-${each.key}-full"
  alarm_description   = "The NAT gateway of ${each.key} has no ports left: connections to venues fail."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 3
  namespace           = "AWS/NATGateway"
  metric_name         = "ErrorPortAllocation"
  period              = 60
  statistic           = "Sum"
  dimensions          = { NatGatewayId = each.value }
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "nat_drops" {
  for_each = var.nat_gateway_ids

  alarm_name          = "${var.name}-nat-${each.key}-drops"
  alarm_description   = "The NAT gateway of ${each.key} drops packets: market data and orders come late."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 100
  evaluation_periods  = 5
  namespace           = "AWS/NATGateway"
  metric_name         = "PacketsDropCount"
  period              = 60
  statistic           = "Sum"
  dimensions          = { NatGatewayId = each.value }
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "nodes_failed" {
  for_each = var.autoscaling_groups

  alarm_name          = "${var.name}-nodes-${each.key}-failed"
  alarm_description   = "A node of the group ${each.key} fails its checks."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 3
  namespace           = "AWS/EC2"
  metric_name         = "StatusCheckFailed"
  period              = 60
  statistic           = "Maximum"
  dimensions          = { AutoScalingGroupName = each.value }
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}
