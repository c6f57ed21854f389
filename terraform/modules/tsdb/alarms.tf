locals {
  # How much of what was paid for a volume uses, in percent.
  used = merge([
    for node in keys(var.nodes) : {
      "${node}-operations" = {
        node    = node
        metrics = ["VolumeReadOps", "VolumeWriteOps"]
        limit   = var.iops
        what    = "operations: raise iops, or see what reads that much"
      }
      "${node}-throughput" = {
        node    = node
        metrics = ["VolumeReadBytes", "VolumeWriteBytes"]
        limit   = var.throughput_mib_s * 1048576
        what    = "throughput: raise throughput_mib_s, or see what reads that much"
      }
    }
  ]...)
}

resource "aws_cloudwatch_metric_alarm" "used" {
  for_each = local.used

  alarm_name          = "${var.name}-questdb-${each.key}"
  alarm_description   = "QuestDB's volume ${each.value.node} is near the end of its ${each.value.what}."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 85
  evaluation_periods  = 5
  datapoints_to_alarm = 4
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]

  metric_query {
    id          = "used"
    expression  = "100 * (reads + writes) / PERIOD(reads) / ${each.value.limit}"
    label       = "percent"
    return_data = true
  }
  metric_query {
    id = "reads"
    metric {
      namespace   = "AWS/EBS"
      metric_name = each.value.metrics[0]
      period      = 60
      stat        = "Sum"
      dimensions  = { VolumeId = aws_ebs_volume.data[each.value.node].id }
    }
  }
  metric_query {
    id = "writes"
    metric {
      namespace   = "AWS/EBS"
      metric_name = each.value.metrics[1]
      period      = 60
      stat        = "Sum"
      dimensions  = { VolumeId = aws_ebs_volume.data[each.value.node].id }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "stalled" {
  for_each = var.nodes

  alarm_name          = "${var.name}-questdb-${each.key}-stalled"
  alarm_description   = "QuestDB's volume ${each.key} completes nothing: the database stands. See AWS' health page."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 2
  namespace           = "AWS/EBS"
  metric_name         = "VolumeStalledIOCheck"
  period              = 60
  statistic           = "Maximum"
  dimensions          = { VolumeId = aws_ebs_volume.data[each.key].id }
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

# A copy in this region is one job, its way to the second region another; both vaults have one name.
resource "aws_cloudwatch_metric_alarm" "failed" {
  for_each = {
    backups = { metric = "NumberOfBackupJobsFailed", what = "A daily copy of a volume of QuestDB failed" }
    copies  = { metric = "NumberOfCopyJobsFailed", what = "A daily copy of QuestDB did not reach the second region" }
  }

  alarm_name          = "${var.name}-${each.key}-failed"
  alarm_description   = "${each.value.what}: see the jobs of AWS Backup."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  namespace           = "AWS/Backup"
  metric_name         = each.value.metric
  period              = 3600
  statistic           = "Sum"
  dimensions          = { BackupVaultName = aws_backup_vault.first.name }
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}
