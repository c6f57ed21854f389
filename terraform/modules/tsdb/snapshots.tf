# A snapshot is a disk as after a power cut. What is known to come back is in the repository (backup/): these are the
# quick way back after a lost volume, and a second kind of copy that a fault of ours cannot spoil in the same way.

data "aws_iam_policy_document" "trust" {
  for_each = toset(["dlm", "backup"])

  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["${each.key}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "copier" {
  for_each = data.aws_iam_policy_document.trust

  name               = "${var.name}-volumes-${each.key}"
  assume_role_policy = each.value.json
}

resource "aws_iam_role_policy_attachment" "copier" {
  for_each = {
    dlm    = "AWSDataLifecycleManagerServiceRole"
    backup = "AWSBackupServiceRolePolicyForBackup"
  }

  role       = aws_iam_role.copier[each.key].name
  policy_arn = "${local.policy}/service-role/${each.value}"
}

resource "aws_dlm_lifecycle_policy" "data" {
  count = var.snapshots_enabled ? 1 : 0

  description        = "QuestDB volumes of ${var.name}"
  execution_role_arn = aws_iam_role.copier["dlm"].arn
  state              = "ENABLED"

  policy_details {
    resource_types = ["VOLUME"]
    target_tags    = local.snapshot_tag
    schedule {
      name      = "every ${var.snapshot_hours} h"
      copy_tags = true
      create_rule {
        interval      = var.snapshot_hours
        interval_unit = "HOURS"
      }
      retain_rule {
        count = var.snapshots_kept
      }
    }
  }

  depends_on = [aws_iam_role_policy_attachment.copier]
}

resource "aws_backup_vault" "first" {
  name          = var.name
  kms_key_arn   = var.keys.data
  force_destroy = var.force_destroy && var.snapshots_enabled
}

resource "aws_backup_vault" "second" {
  provider = aws.second

  name          = var.name
  kms_key_arn   = var.keys.data_second
  force_destroy = var.force_destroy && var.snapshots_enabled
}

# Nobody deletes a copy earlier, whoever's credentials they have. Off where destroying everything must work.
resource "aws_backup_vault_lock_configuration" "first" {
  count = var.force_destroy ? 0 : 1

  backup_vault_name  = aws_backup_vault.first.name
  min_retention_days = 7
}

resource "aws_backup_vault_lock_configuration" "second" {
  provider = aws.second
  count    = var.force_destroy ? 0 : 1

  backup_vault_name  = aws_backup_vault.second.name
  min_retention_days = 7
}

resource "aws_backup_plan" "data" {
  name = var.name

  rule {
    rule_name         = "daily"
    target_vault_name = aws_backup_vault.first.name
    schedule          = "cron(30 1 * * ? *)"
    start_window      = 60
    completion_window = 480
    lifecycle {
      delete_after = var.copies_kept_days
    }
    copy_action {
      destination_vault_arn = aws_backup_vault.second.arn
      lifecycle {
        delete_after = var.copies_kept_days
      }
    }
  }
}

resource "aws_backup_selection" "data" {
  count = var.snapshots_enabled ? 1 : 0

  name         = "questdb"
  plan_id      = aws_backup_plan.data.id
  iam_role_arn = aws_iam_role.copier["backup"].arn
  resources    = [for name in sort(keys(var.nodes)) : aws_ebs_volume.data[name].arn]
}
