mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name    = "ares-test"
  account = { id = "123456789012", partition = "aws", region = "eu-central-1" }
  keys = {
    secrets = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    data    = "arn:aws:kms:eu-central-1:123456789012:key/22222222-2222-3333-4444-555555555555"
    logs    = "arn:aws:kms:eu-central-1:123456789012:key/33333333-2222-3333-4444-555555555555"
  }
  node_subnet_ids       = { eu-central-1a = "subnet-a", eu-central-1b = "subnet-b" }
  api_server_subnet_ids = { eu-central-1a = "subnet-c", eu-central-1b = "subnet-d" }
  security_group_ids    = { control_plane = "sg-1", general = "sg-2", questdb = "sg-3" }
  admins                = { operators = "arn:aws:iam::123456789012:role/operator" }
  groups = {
    general = {
      instance_types = ["m7i.large"]
      zones          = ["eu-central-1a", "eu-central-1b"]
      nodes_min      = 1
      nodes_max      = 3
      nodes_at_start = 2
    }
    questdb-a = {
      instance_types = ["r7i.large"]
      zones          = ["eu-central-1a"]
      nodes_min      = 1
      nodes_max      = 2
      nodes_at_start = 1
      security_group = "questdb"
      taints         = [{ key = "ares.io/questdb", value = "true", effect = "NO_SCHEDULE" }]
    }
  }
}

run "private_and_encrypted" {
  command = plan
  module {
    source = "./modules/cluster"
  }
  assert {
    condition = (
      aws_eks_cluster.main.vpc_config[0].endpoint_private_access
      && !aws_eks_cluster.main.vpc_config[0].endpoint_public_access
    )
    error_message = "the API server has a private address only"
  }
  assert {
    condition     = aws_eks_cluster.main.encryption_config[0].provider[0].key_arn == var.keys.secrets
    error_message = "Kubernetes' secrets are encrypted by our key"
  }
  assert {
    condition     = length(aws_eks_cluster.main.enabled_cluster_log_types) == 5
    error_message = "the control plane logs everything it can"
  }
  assert {
    condition     = !aws_eks_cluster.main.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "who made the cluster is not let in for that"
  }
  assert {
    condition = alltrue([
      for template in aws_launch_template.node : template.metadata_options[0].http_tokens == "required"
      && template.metadata_options[0].http_put_response_hop_limit == 1
    ])
    error_message = "pods do not get the node's credentials"
  }
  assert {
    condition     = one(aws_eks_node_group.main["questdb-a"].taint).effect == "NO_SCHEDULE"
    error_message = "only who tolerates it runs beside QuestDB"
  }
  assert {
    condition = (
      aws_launch_template.node["questdb-a"].vpc_security_group_ids == toset(["sg-3"])
      && aws_launch_template.node["general"].vpc_security_group_ids == toset(["sg-2"])
    )
    error_message = "each group has its own security group and no other"
  }
  assert {
    condition     = length(aws_eks_addon.before_nodes) == 2 && length(aws_eks_addon.after_nodes) == 5
    error_message = "add-ons"
  }
}

run "a_role_for_one_service_account" {
  command = plan
  module {
    source = "./modules/cluster"
  }
  variables {
    workloads = {
      backup = {
        service_accounts = ["ares/questdb"]
        policy           = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
      }
    }
  }
  assert {
    condition = (
      one(output.service_accounts["backup"]) == "ares/questdb"
      && aws_iam_role.workload["backup"].max_session_duration == 3600
    )
    error_message = "a role of an hour for that account"
  }
}

run "public_for_named_networks_only" {
  command = plan
  module {
    source = "./modules/cluster"
  }
  variables {
    public_cidrs = ["203.0.113.0/24"]
  }
  assert {
    condition     = aws_eks_cluster.main.vpc_config[0].public_access_cidrs == toset(["203.0.113.0/24"])
    error_message = "only for who is named"
  }
}

run "refuses_what_cannot_be" {
  command = plan
  module {
    source = "./modules/cluster"
  }
  variables {
    public_cidrs       = ["0.0.0.0/0"]       # everybody
    kubernetes_version = "1.34.1"            # a patch
    admins             = { me = "somebody" } # no role
    images_kept        = 1                   # nothing to roll back to
    groups = {
      general = {
        instance_types = ["m7i.large"]
        zones          = ["eu-central-1a"]
        nodes_min      = 1
        nodes_max      = 2
        nodes_at_start = 3 # more than at most
      }
    }
  }
  expect_failures = [var.public_cidrs, var.kubernetes_version, var.admins, var.images_kept, var.groups]
}

run "refuses_questdb_on_spot" {
  command = plan
  module {
    source = "./modules/cluster"
  }
  variables {
    groups = {
      q = {
        instance_types = ["r7i.large"]
        zones          = ["eu-central-1a"]
        nodes_min      = 1
        nodes_max      = 1
        nodes_at_start = 1
        security_group = "questdb"
        capacity       = "SPOT"
      }
    }
  }
  expect_failures = [var.groups]
}
