mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "second"
  source = "./tests/mocks"
}

variables {
  name          = "ares-test"
  account       = { id = "123456789012", partition = "aws", region = "eu-central-1" }
  second_region = "eu-west-1"
  keys = {
    data        = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    secrets     = "arn:aws:kms:eu-central-1:123456789012:key/22222222-2222-3333-4444-555555555555"
    logs        = "arn:aws:kms:eu-central-1:123456789012:key/33333333-2222-3333-4444-555555555555"
    data_second = "arn:aws:kms:eu-west-1:123456789012:key/44444444-2222-3333-4444-555555555555"
  }
  node_subnet_ids    = { eu-central-1a = "subnet-a", eu-central-1b = "subnet-b" }
  control_subnet_ids = { eu-central-1a = "subnet-c", eu-central-1b = "subnet-d" }
  security_group_ids = { control_store = "sg-1", files = "sg-2" }
  alarm_topic_arn    = "arn:aws:sns:eu-central-1:123456789012:alerts"
}

run "encrypted_copied_and_without_a_password" {
  command = plan
  module {
    source = "./modules/state"
  }
  assert {
    condition = (
      aws_db_instance.control.manage_master_user_password && aws_db_instance.control.password == null
      && aws_db_instance.control.master_user_secret_kms_key_id == var.keys.secrets
    )
    error_message = "AWS makes the master's password, Terraform knows none"
  }
  assert {
    condition = (
      aws_db_instance.control.storage_encrypted && !aws_db_instance.control.publicly_accessible
      && aws_db_instance.control.deletion_protection && aws_db_instance.control.multi_az
    )
    error_message = "encrypted, private, protected, with a standby"
  }
  assert {
    condition = contains([
      for each in aws_db_parameter_group.control.parameter : "${each.name}=${each.value}"
    ], "rds.force_ssl=1")
    error_message = "nobody connects without TLS"
  }
  assert {
    condition     = aws_efs_file_system.shared[0].encrypted && length(aws_efs_mount_target.shared) == 2
    error_message = "an encrypted folder with an address in each zone"
  }
  assert {
    condition = (
      length(aws_db_instance_automated_backups_replication.control) == 1
      && length(aws_efs_replication_configuration.shared) == 1 && length(aws_efs_backup_policy.shared) == 1
    )
    error_message = "both are copied"
  }
}

run "made_of_the_first_places_copies" {
  command = plan
  module {
    source = "./modules/state"
  }
  variables {
    restore_from = {
      control_backups = "arn:aws:rds:eu-central-1:123456789012:auto-backup:ab-0123456789abcdef"
      file_system_id  = "fs-0123456789abcdef0"
    }
  }
  assert {
    condition     = aws_db_instance.control.restore_to_point_in_time[0].use_latest_restorable_time
    error_message = "the control store as of the last moment that was copied"
  }
  assert {
    condition     = length(aws_efs_file_system.shared) == 0 && output.file_system_id == "fs-0123456789abcdef0"
    error_message = "the copy of the folder, not a new one"
  }
}

run "refuses_what_cannot_be" {
  command = plan
  module {
    source = "./modules/state"
  }
  variables {
    postgres_version = "12"
    instance_class   = "t4g.medium" # not one of RDS
    size_gib         = 10
    copies_kept_days = 90                                                                          # RDS keeps 35
    restore_from     = { control_backups = "arn:aws:rds:eu-west-1:123456789012:auto-backup:ab-1" } # of another region
  }
  expect_failures = [
    var.postgres_version, var.instance_class, var.size_gib, var.copies_kept_days, var.restore_from,
  ]
}
