mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "second"
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "global"
  source = "./tests/mocks"
}

variables {
  name               = "ares-test"
  region             = "eu-central-1"
  second_region      = "eu-west-1"
  zones              = ["a", "b"]
  cidr               = "10.20.0.0/16"
  nat                = "single"
  cluster_admins     = {}
  alert_emails       = ["ops@example.com"]
  budget_monthly_usd = 100
  general            = { instance_types = ["m7i.large"], nodes_min = 1, nodes_max = 2 }
  questdb            = { nodes = { primary = "a" }, instance_type = "r7i.large", size_gib = 100 }
  control_store      = { instance_class = "db.t4g.small", multi_az = false }
  keep = {
    logs_days        = 30
    lock_mode        = "GOVERNANCE"
    lock_days        = 1
    superseded_days  = 7
    snapshot_hours   = 12
    snapshots        = 4
    volume_copy_days = 7
    recovery_days    = 7
    destroyable      = true
  }
}

run "refuses_what_cannot_be" {
  command = plan
  module {
    source = "./modules/platform"
  }
  variables {
    region       = "Frankfurt"
    alert_emails = [] # an alarm that nobody gets

    namespace        = "Ares"                                                                     # a capital
    service_accounts = { backup = ["ares/questdb/0"] }                                            # a pod
    questdb          = { nodes = { primary = "c" }, instance_type = "r7i.large", size_gib = 100 } # no network
    keep = {
      logs_days        = 30
      lock_mode        = "COMPLIANCE" # nobody may delete
      lock_days        = 1
      superseded_days  = 7
      snapshot_hours   = 12
      snapshots        = 4
      volume_copy_days = 7
      recovery_days    = 7
      destroyable      = true # and all of it is destroyed
    }
  }
  expect_failures = [
    var.region, var.alert_emails, var.namespace, var.service_accounts, var.questdb, var.keep,
  ]
}

run "refuses_copies_beside_the_original" {
  command = plan
  module {
    source = "./modules/platform"
  }
  variables {
    second_region = "eu-central-1"
    questdb       = { nodes = {}, instance_type = "r7i.large", size_gib = 100 } # no database at all
    takes_over = {
      name          = "ares-prod"
      backup_bucket = "ares-prod-backup"
      cold_bucket   = "ares-prod-cold"
      buckets_key   = "arn:aws:kms:us-east-2:123456789012:key/11111111-2222-3333-4444-555555555555"
      secrets_key   = "arn:aws:kms:us-east-2:123456789012:key/66666666-7777-8888-9999-000000000000"
    }
  }
  expect_failures = [var.second_region, var.questdb, var.takes_over]
}

run "refuses_what_no_environment_knows" {
  command = plan
  module {
    source = "./environments/dev"
  }
  variables {
    features    = { teleport = true }
    max_retries = 100
  }
  expect_failures = [var.features, var.max_retries]
}

run "refuses_states_that_would_be_lost" {
  command = plan
  module {
    source = "./bootstrap"
  }
  variables {
    name          = "A"
    second_region = "eu-central-1"
    versions_days = 7
  }
  expect_failures = [var.name, var.second_region, var.versions_days]
}
