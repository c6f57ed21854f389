# What each environment would make, without an account. tests/infra compares the plans with terraform/inventories.

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
  region             = "eu-central-1"
  second_region      = "eu-west-1"
  cluster_admins     = { operators = "arn:aws:iam::123456789012:role/operator" }
  alert_emails       = ["ops@example.com"]
  budget_monthly_usd = 1000
  domain             = "ares.example.com"
}

run "dev" {
  command = plan
  module {
    source = "./environments/dev"
  }
  assert {
    condition     = output.kustomize.cluster == "ares-dev" && output.kustomize.api_host == "api.ares.example.com"
    error_message = "dev: the outputs that kustomize takes"
  }
}

run "staging" {
  command = plan
  module {
    source = "./environments/staging"
  }
  assert {
    condition     = output.kustomize.cluster == "ares-staging" && length(output.kustomize.volumes) == 2
    error_message = "staging: a volume for the primary and one for the replica"
  }
  assert {
    condition     = one(output.kustomize.service_accounts["backup"]) == "ares-staging/questdb"
    error_message = "staging: roles are for the namespace of its overlay"
  }
}

run "prod" {
  command = plan
  module {
    source = "./environments/prod"
  }
  variables {
    ingress_cidrs = ["203.0.113.0/24"]
    load_balancer = { dns_name = "k8s-ares-1.eu-central-1.elb.amazonaws.com", zone_id = "Z215JYRZR1TBD5" }
  }
  assert {
    condition     = output.kustomize.cluster == "ares-prod" && length(output.kustomize.volumes) == 2
    error_message = "prod: a volume for the primary and one for the replica"
  }
  assert {
    condition = (
      one(output.kustomize.service_accounts["backup"]) == "ares/questdb"
      && join(" ", output.kustomize.service_accounts["lake"]) == "ares/analytics ares/errands ares/retention"
      && one(output.kustomize.service_accounts["external-secrets"]) == "ares/secrets"
    )
    error_message = "prod: roles are for the accounts that the manifests have"
  }
}

# The second region after a disaster: its own cluster, the first place's copies and zone.
run "prod_second_place" {
  command = plan
  module {
    source = "./environments/prod"
  }
  variables {
    name          = "ares-prod-dr"
    region        = "eu-west-1"
    second_region = "eu-north-1"
    cidr          = "10.41.0.0/16"
    zone_id       = "Z0123456789ABCDEFGHIJ"
    takes_over = {
      name          = "ares-prod"
      backup_bucket = "ares-prod-backup-123456789012-eu-west-1"
      cold_bucket   = "ares-prod-cold-123456789012-eu-west-1"
      buckets_key   = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
      secrets_key   = "arn:aws:kms:eu-west-1:123456789012:key/66666666-7777-8888-9999-000000000000"

      control_backups = "arn:aws:rds:eu-west-1:123456789012:auto-backup:ab-0123456789abcdef"
      file_system_id  = "fs-0123456789abcdef0"
    }
  }
  assert {
    condition     = output.kustomize.secret_names["control"] == "ares-prod/control" && length(output.name_servers) == 0
    error_message = "the second place reads the first one's secrets, and makes no zone of its own"
  }
}

# QuestDB on instances outside of the cluster.
run "dev_on_instances" {
  command = plan
  module {
    source = "./environments/dev"
  }
  variables {
    questdb = { placement = "ec2", ami_id = "ami-0123456789abcdef0" }
  }
  assert {
    condition     = length(output.questdb_instances) == 1
    error_message = "an instance for each volume"
  }
}
