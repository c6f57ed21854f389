mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "second"
  source = "./tests/mocks"
}

variables {
  name     = "ares-test"
  account  = { id = "123456789012", partition = "aws", region = "eu-central-1" }
  nodes    = { primary = { zone = "eu-central-1a" } }
  size_gib = 500
  keys = {
    data        = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    data_second = "arn:aws:kms:eu-west-1:123456789012:key/22222222-2222-3333-4444-555555555555"
  }
  alarm_topic_arn   = "arn:aws:sns:eu-central-1:123456789012:alerts"
  subnet_ids        = { eu-central-1a = "subnet-a" }
  security_group_id = "sg-3"
}

run "encrypted_copied_and_watched" {
  command = plan
  module {
    source = "./modules/tsdb"
  }
  assert {
    condition = (
      aws_ebs_volume.data["primary"].encrypted && aws_ebs_volume.data["primary"].type == "gp3"
      && aws_ebs_volume.data["primary"].kms_key_id == var.keys.data
    )
    error_message = "gp3, encrypted by our key"
  }
  assert {
    condition     = aws_dlm_lifecycle_policy.data[0].policy_details[0].target_tags["Snapshots"] == "ares-test"
    error_message = "DLM looks for the tag of this stack alone"
  }
  assert {
    condition     = aws_ebs_volume.data["primary"].tags["Snapshots"] == "ares-test"
    error_message = "and the volume has it"
  }
  assert {
    condition     = one(aws_backup_plan.data.rule).lifecycle[0].delete_after == 35
    error_message = "daily copies are kept"
  }
  assert {
    condition = (
      length(aws_backup_vault_lock_configuration.first) == 1
      && length(aws_backup_vault_lock_configuration.second) == 1
    )
    error_message = "and nobody deletes them earlier"
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.used) == 2 && length(aws_cloudwatch_metric_alarm.stalled) == 1
    error_message = "alarms on operations, throughput and standstill"
  }
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.failed["backups"].metric_name == "NumberOfBackupJobsFailed"
      && aws_cloudwatch_metric_alarm.failed["copies"].metric_name == "NumberOfCopyJobsFailed"
      && aws_backup_vault.first.name == aws_backup_vault.second.name
    )
    error_message = "alarms on copies here, and on their way to the second region"
  }
  assert {
    condition     = length(aws_instance.questdb) == 0
    error_message = "no instance beside the cluster"
  }
}

run "instances_outside_of_the_cluster" {
  command = plan
  module {
    source = "./modules/tsdb"
  }
  variables {
    placement = "ec2"
    ami_id    = "ami-0123456789abcdef0"
  }
  assert {
    condition = (
      aws_instance.questdb["primary"].metadata_options[0].http_tokens == "required"
      && aws_instance.questdb["primary"].root_block_device[0].encrypted
      && aws_instance.questdb["primary"].vpc_security_group_ids == toset(["sg-3"])
    )
    error_message = "no old metadata service, an encrypted disk, QuestDB's security group alone"
  }
}

run "refuses_what_cannot_be" {
  command = plan
  module {
    source = "./modules/tsdb"
  }
  variables {
    size_gib         = 10 # too small
    snapshot_hours   = 5  # DLM does not know it
    snapshots_kept   = 0
    copies_kept_days = 3 # less than the vaults' lock
    placement        = "laptop"
    nodes            = { "The Primary" = { zone = "eu-central-1a" } }
  }
  expect_failures = [
    var.size_gib, var.snapshot_hours, var.snapshots_kept, var.copies_kept_days, var.placement, var.nodes,
  ]
}

run "refuses_what_does_not_fit_together" {
  command = plan
  module {
    source = "./modules/tsdb"
  }
  variables {
    size_gib  = 20
    iops      = 16000 # 500 for each GiB are 10000
    placement = "ec2" # without an image
  }
  expect_failures = [var.iops, var.ami_id]
}

run "refuses_throughput_without_operations" {
  command = plan
  module {
    source = "./modules/tsdb"
  }
  variables {
    throughput_mib_s = 1000
  }
  expect_failures = [var.throughput_mib_s]
}

run "refuses_more_operations_than_gp3_does" {
  command = plan
  module {
    source = "./modules/tsdb"
  }
  variables {
    iops = 20000
  }
  expect_failures = [var.iops]
}
