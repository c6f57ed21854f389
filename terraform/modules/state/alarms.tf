locals {
  watched = {
    space = {
      metric    = "FreeStorageSpace"
      below     = true
      threshold = var.size_gib * 1073741824 * 0.15
      minutes   = 5
      what      = "has little room left: raise size_gib, or see what grew."
      statistic = "Minimum"
    }
    cpu = {
      metric    = "CPUUtilization"
      below     = false
      threshold = 85
      minutes   = 10
      what      = "computes all the time: orders wait for it."
      statistic = "Average"
    }
    memory = {
      metric    = "FreeableMemory"
      below     = true
      threshold = 134217728
      minutes   = 10
      what      = "has less than 128 MiB of memory left."
      statistic = "Average"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "control" {
  for_each = local.watched

  alarm_name          = "${var.name}-control-${each.key}"
  alarm_description   = "The control store ${each.value.what}"
  comparison_operator = each.value.below ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = each.value.minutes
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  period              = 60
  statistic           = each.value.statistic
  dimensions          = { DBInstanceIdentifier = aws_db_instance.control.identifier }
  treat_missing_data  = "breaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}
