output "topic_arn" {
  description = "Topic of alarms; its policy is in place."
  value       = aws_sns_topic_policy.alerts.arn
}

output "trail_log_group" {
  description = "Log group of the trail."
  value       = aws_cloudwatch_log_group.trail.name
}
