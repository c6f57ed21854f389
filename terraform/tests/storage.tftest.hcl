mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "second"
  source = "./tests/mocks"
}

variables {
  name            = "ares-test"
  account         = { id = "123456789012", partition = "aws", region = "eu-central-1" }
  second_region   = "eu-west-1"
  alarm_topic_arn = "arn:aws:sns:eu-central-1:123456789012:alerts"
  key             = { arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555" }
}

run "two_regions" {
  command = plan
  module {
    source = "./modules/storage"
  }
  variables {
    copies_in_minutes = true
  }
  assert {
    condition     = length(module.copy) == 2 && length(module.replication) == 2
    error_message = "backups and cold tier are copied"
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.behind) == 2
    error_message = "and it is told when copies are behind"
  }
  assert {
    condition     = aws_kms_key.first.enable_key_rotation && aws_kms_key.second.enable_key_rotation
    error_message = "keys rotate"
  }
}

run "bucket" {
  command = plan
  module {
    source = "./modules/storage/bucket"
  }
  variables {
    object_lock     = true
    lock_mode       = "COMPLIANCE"
    lock_days       = 30
    superseded_days = 90
    access_logs     = { bucket = "logs" }
  }
  assert {
    condition     = aws_s3_bucket.main.object_lock_enabled && !aws_s3_bucket.main.force_destroy
    error_message = "locked, and not destroyed with what it holds"
  }
  assert {
    condition     = one(aws_s3_bucket_object_lock_configuration.main[0].rule).default_retention[0].mode == "COMPLIANCE"
    error_message = "for everybody"
  }
  assert {
    condition     = aws_s3_bucket_versioning.main.versioning_configuration[0].status == "Enabled"
    error_message = "with versions"
  }
  assert {
    condition = (
      aws_s3_bucket_public_access_block.main.block_public_policy
      && aws_s3_bucket_public_access_block.main.restrict_public_buckets
      && aws_s3_bucket_public_access_block.main.block_public_acls
      && aws_s3_bucket_public_access_block.main.ignore_public_acls
    )
    error_message = "never public"
  }
  assert {
    condition = (
      one(aws_s3_bucket_server_side_encryption_configuration.main.rule)
      .apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
    )
    error_message = "encrypted by our key"
  }
}

run "refuses_the_same_region_and_a_short_trail" {
  command = plan
  module {
    source = "./modules/storage"
  }
  variables {
    second_region = "eu-central-1"
    trail_days    = 7
  }
  expect_failures = [var.second_region, var.trail_days]
}

run "refuses_what_no_bucket_can_be" {
  command = plan
  module {
    source = "./modules/storage/bucket"
  }
  variables {
    name            = "Ares" # a capital
    object_lock     = true
    lock_mode       = "STRICT" # unknown
    lock_days       = 0
    storage_classes = [{ after_days = 90, class = "DEEP_ARCHIVE" }] # is not read at once
  }
  expect_failures = [var.name, var.lock_mode, var.lock_days, var.storage_classes]
}

run "refuses_versions_that_go_with_their_lock" {
  command = plan
  module {
    source = "./modules/storage/bucket"
  }
  variables {
    object_lock     = true
    lock_days       = 30
    superseded_days = 30
  }
  expect_failures = [var.superseded_days]
}
