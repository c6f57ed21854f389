# What services share beside QuestDB: the control store (orders, users, leases) in a Postgres of RDS, and a folder
# (models, reports) in EFS. Both are encrypted, copied, and reached from the cluster's nodes alone.

locals {
  restored = try(var.restore_from.control_backups, null) != null
  adopted  = try(var.restore_from.file_system_id, null) != null
}

resource "aws_db_subnet_group" "control" {
  name        = "${var.name}-control"
  description = "Control store of ${var.name}"
  subnet_ids  = [for zone in sort(keys(var.control_subnet_ids)) : var.control_subnet_ids[zone]]
}

resource "aws_db_parameter_group" "control" {
  name        = "${var.name}-control"
  description = "TLS only; slow statements and waits for locks are logged"
  family      = "postgres${split(".", var.postgres_version)[0]}"

  dynamic "parameter" {
    for_each = {
      log_lock_waits             = "1"
      log_min_duration_statement = "1000"
      "rds.force_ssl"            = "1"
    }
    content {
      name  = parameter.key
      value = parameter.value
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

data "aws_iam_policy_document" "monitoring_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "monitoring" {
  name               = "${var.name}-control-monitoring"
  assume_role_policy = data.aws_iam_policy_document.monitoring_trust.json
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:${var.account.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

# The master's password is made and rotated by AWS in its secret store: Terraform never sees it.
resource "aws_db_instance" "control" {
  #checkov:skip=CKV_AWS_157:a standby in another zone is multi_az, which prod and staging have
  #checkov:skip=CKV_AWS_161:services log in with a password of their own from the secret store, which is rotated there
  #checkov:skip=CKV_AWS_293:protected wherever something is worth keeping (force_destroy)
  #checkov:skip=CKV2_AWS_30:its own logging is set by the parameter group
  #checkov:skip=CKV2_AWS_69:rds.force_ssl is set by the parameter group
  identifier                      = "${var.name}-control"
  engine                          = "postgres"
  engine_version                  = var.postgres_version
  instance_class                  = var.instance_class
  allocated_storage               = var.size_gib
  max_allocated_storage           = var.size_gib * 4
  storage_type                    = "gp3"
  storage_encrypted               = true
  kms_key_id                      = local.restored ? null : var.keys.data # a copy keeps the key that it was made with
  db_name                         = local.restored ? null : "ares"
  username                        = local.restored ? null : "postgres"
  manage_master_user_password     = true
  master_user_secret_kms_key_id   = var.keys.secrets
  port                            = 5432
  multi_az                        = var.multi_az
  publicly_accessible             = false
  db_subnet_group_name            = aws_db_subnet_group.control.name
  vpc_security_group_ids          = [var.security_group_ids["control_store"]]
  parameter_group_name            = aws_db_parameter_group.control.name
  backup_retention_period         = var.copies_kept_days
  backup_window                   = "00:30-01:00"
  maintenance_window              = "sun:02:00-sun:02:30"
  copy_tags_to_snapshot           = true
  auto_minor_version_upgrade      = true
  deletion_protection             = !var.force_destroy
  delete_automated_backups        = var.force_destroy
  skip_final_snapshot             = var.force_destroy
  final_snapshot_identifier       = "${var.name}-control-final"
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.keys.data
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring.arn

  dynamic "restore_to_point_in_time" {
    for_each = local.restored ? [var.restore_from.control_backups] : []
    content {
      source_db_instance_automated_backups_arn = restore_to_point_in_time.value
      use_latest_restorable_time               = true
    }
  }

  depends_on = [aws_cloudwatch_log_group.control]
}

# RDS writes into groups of these names. Made first, so that they have a key and an end.
resource "aws_cloudwatch_log_group" "control" {
  for_each = toset(["postgresql", "upgrade"])

  #checkov:skip=CKV_AWS_338:each environment says how long its logs are kept; prod keeps a year
  name              = "/aws/rds/instance/${var.name}-control/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.keys.logs
}

resource "aws_db_instance_automated_backups_replication" "control" {
  provider = aws.second
  count    = var.copies_enabled ? 1 : 0

  source_db_instance_arn = aws_db_instance.control.arn
  kms_key_id             = var.keys.data_second
  retention_period       = var.copies_kept_days
}
