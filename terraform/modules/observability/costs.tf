locals {
  # percent of the budget, and whether spent or foreseen
  notices = {
    half     = { percent = 50, kind = "ACTUAL" }
    most     = { percent = 80, kind = "ACTUAL" }
    all      = { percent = 100, kind = "ACTUAL" }
    forecast = { percent = 100, kind = "FORECASTED" }
  }
}

resource "aws_budgets_budget" "monthly" {
  count = var.budgets_enabled ? 1 : 0

  name         = "${var.name}-monthly"
  budget_type  = "COST"
  limit_amount = tostring(var.budget_monthly_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  dynamic "notification" {
    for_each = local.notices
    content {
      comparison_operator       = "GREATER_THAN"
      threshold                 = notification.value.percent
      threshold_type            = "PERCENTAGE"
      notification_type         = notification.value.kind
      subscriber_sns_topic_arns = [aws_sns_topic.alerts.arn]
    }
  }

  depends_on = [aws_sns_topic_policy.alerts]
}

# An account has one of services at most, and AWS makes it where it makes Cost Explorer.
resource "aws_ce_anomaly_monitor" "services" {
  count = var.anomalies_enabled && var.anomaly_monitor_arn == null ? 1 : 0

  name              = "${var.name}-services"
  monitor_type      = "DIMENSIONAL"
  monitor_dimension = "SERVICE"
}

resource "aws_ce_anomaly_subscription" "services" {
  count = var.anomalies_enabled ? 1 : 0

  name             = "${var.name}-services"
  frequency        = "IMMEDIATE"
  monitor_arn_list = [try(aws_ce_anomaly_monitor.services[0].arn, var.anomaly_monitor_arn)]

  subscriber {
    type    = "SNS"
    address = aws_sns_topic.alerts.arn
  }
  threshold_expression {
    dimension {
      key           = "ANOMALY_TOTAL_IMPACT_ABSOLUTE"
      match_options = ["GREATER_THAN_OR_EQUAL"]
      values        = [tostring(var.anomaly_usd)]
    }
  }

  depends_on = [aws_sns_topic_policy.alerts]
}
