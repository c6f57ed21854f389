mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name               = "ares-test"
  account            = { id = "123456789012", partition = "aws", region = "eu-central-1" }
  logs_key_arn       = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  alert_emails       = ["ops@example.com"]
  trail_bucket       = "trail"
  nat_gateway_ids    = { eu-central-1a = "nat-1" }
  autoscaling_groups = { general = "eks-general" }
  budget_monthly_usd = 500
}

run "told_and_noted" {
  command = plan
  module {
    source = "./modules/observability"
  }
  assert {
    condition = (
      aws_cloudtrail.main.is_multi_region_trail && aws_cloudtrail.main.enable_log_file_validation
      && aws_cloudtrail.main.enable_logging && aws_cloudtrail.main.kms_key_id == var.logs_key_arn
    )
    error_message = "a trail of all regions, signed, encrypted, switched on"
  }
  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.watched) == keys(aws_cloudwatch_log_metric_filter.watched)
    error_message = "an alarm for each thing that is watched"
  }
  assert {
    condition = aws_cloudwatch_log_metric_filter.watched["keys"].pattern == join("", [
      "{ $.eventSource = \"kms.amazonaws.com\" && ",
      "($.eventName = \"DisableKey\" || $.eventName = \"ScheduleKeyDeletion\") }",
    ])
    error_message = "the pattern that CloudWatch understands"
  }
  assert {
    condition     = aws_budgets_budget.monthly[0].limit_amount == "500"
    error_message = "a budget of what was said"
  }
  assert {
    condition     = aws_sns_topic.alerts.kms_master_key_id == var.logs_key_arn
    error_message = "alarms are encrypted"
  }
}

run "tells_of_what_the_accounts_own_monitor_finds" {
  command = plan
  module {
    source = "./modules/observability"
  }
  variables {
    anomaly_monitor_arn = "arn:aws:ce::123456789012:anomalymonitor/11111111-2222-3333-4444-555555555555"
  }
  assert {
    condition = (
      length(aws_ce_anomaly_monitor.services) == 0
      && aws_ce_anomaly_subscription.services[0].monitor_arn_list == tolist([var.anomaly_monitor_arn])
    )
    error_message = "a second monitor would be refused"
  }
}

run "refuses_what_cannot_be" {
  command = plan
  module {
    source = "./modules/observability"
  }
  variables {
    log_retention_days  = 100     # CloudWatch does not know it
    alert_emails        = ["ops"] # no address
    budget_monthly_usd  = 0
    anomaly_monitor_arn = "Default-Services-Monitor" # its name
  }
  expect_failures = [
    var.log_retention_days, var.alert_emails, var.budget_monthly_usd, var.anomaly_monitor_arn,
  ]
}
