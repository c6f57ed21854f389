# For a local AWS (moto): what it cannot do is off; what it is, is said. Not for a real account.
features = {
  account_baseline    = false # no public access block of an account, which comes with all that it has once
  anomalies           = false # no anomaly monitors
  budgets             = false # does not say who is told of a budget
  cluster_access      = false # no access entries
  cluster_addons      = false # no add-ons of EKS
  copies_of_state     = false # copies neither a Postgres nor a folder to another region
  instance_monitoring = false # does not measure instances
  query_logging       = false # knows a log group by another form of its ARN
  snapshots           = false # no DLM, no selections of AWS Backup
  trail_logging       = false # starts a trail by its name alone, and the provider says its ARN
}
s3_use_path_style  = true
max_retries        = 2
default_tags       = {}
cluster_admins     = {}
alert_emails       = ["ops@example.com"]
budget_monthly_usd = 100
domain             = "dev.ares.example.com"
