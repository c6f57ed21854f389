locals {
  file_system_id = local.adopted ? var.restore_from.file_system_id : aws_efs_file_system.shared[0].id
}

resource "aws_efs_file_system" "shared" {
  #checkov:skip=CKV2_AWS_18:aws_efs_backup_policy puts it into the plan that AWS Backup has for folders
  count = local.adopted ? 0 : 1

  creation_token  = "${var.name}-shared"
  encrypted       = true
  kms_key_id      = var.keys.data
  throughput_mode = "elastic"
  tags            = { Name = "${var.name}-shared" }

  lifecycle_policy {
    transition_to_ia = "AFTER_30_DAYS"
  }
  lifecycle_policy {
    transition_to_primary_storage_class = "AFTER_1_ACCESS"
  }
}

resource "aws_efs_mount_target" "shared" {
  for_each = var.node_subnet_ids

  file_system_id  = local.file_system_id
  subnet_id       = each.value
  security_groups = [var.security_group_ids["files"]]
}

resource "aws_efs_backup_policy" "shared" {
  count = var.copies_enabled ? 1 : 0

  file_system_id = local.file_system_id
  backup_policy {
    status = "ENABLED"
  }
}

resource "aws_efs_replication_configuration" "shared" {
  count = var.copies_enabled && !local.adopted ? 1 : 0

  source_file_system_id = local.file_system_id
  destination {
    region     = var.second_region
    kms_key_id = var.keys.data_second
  }
}
