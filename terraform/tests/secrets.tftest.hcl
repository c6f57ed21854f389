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
  entries         = { database = { description = "QuestDB's users: password" } }
}

run "entries_without_values_in_two_regions" {
  command = plan
  module {
    source = "./modules/secrets"
  }
  assert {
    condition     = aws_secretsmanager_secret.main["database"].name == "ares-test/database"
    error_message = "below the stack's name"
  }
  assert {
    condition     = one(aws_secretsmanager_secret.main["database"].replica).region == "eu-west-1"
    error_message = "with a replica"
  }
  assert {
    condition     = alltrue([for key in merge(aws_kms_key.first, aws_kms_key.second) : key.enable_key_rotation])
    error_message = "keys rotate"
  }
  assert {
    condition     = length(aws_kms_key.first) == 3 && length(aws_kms_key.second) == 2
    error_message = "keys for data, secrets and logs; copies have two"
  }
  assert {
    condition     = length(aws_secretsmanager_secret_rotation.main) == 0
    error_message = "nothing rotates unless told"
  }
}

run "a_hook_rotates" {
  command = plan
  module {
    source = "./modules/secrets"
  }
  variables {
    entries = {
      database = {
        description = "QuestDB's users: password"
        rotation    = { lambda_arn = "arn:aws:lambda:eu-central-1:123456789012:function:rotate", every_days = 30 }
      }
    }
  }
  assert {
    condition     = aws_secretsmanager_secret_rotation.main["database"].rotation_rules[0].automatically_after_days == 30
    error_message = "every 30 days"
  }
  assert {
    condition     = aws_lambda_permission.rotation["database"].source_account == "123456789012"
    error_message = "only this account's secret store may call the function"
  }
}

run "refuses_what_cannot_be" {
  command = plan
  module {
    source = "./modules/secrets"
  }
  variables {
    recovery_days = 3
    entries       = { Database = { description = "QuestDB's users: password" } } # a capital
  }
  expect_failures = [var.recovery_days, var.entries]
}

run "refuses_an_entry_that_says_nothing" {
  command = plan
  module {
    source = "./modules/secrets"
  }
  variables {
    entries = { database = { description = "secret" } }
  }
  expect_failures = [var.entries]
}

run "refuses_a_hook_that_is_no_function" {
  command = plan
  module {
    source = "./modules/secrets"
  }
  variables {
    entries = { database = { description = "QuestDB's users", rotation = { lambda_arn = "rotate", every_days = 30 } } }
  }
  expect_failures = [var.entries]
}
