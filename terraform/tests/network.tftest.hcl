mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name         = "ares-test"
  account      = { id = "123456789012", partition = "aws", region = "eu-central-1" }
  logs_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  zones        = ["a", "b"]
}

run "shape" {
  command = plan
  module {
    source = "./modules/network"
  }
  assert {
    condition     = keys(aws_nat_gateway.main) == keys(aws_subnet.private)
    error_message = "a NAT gateway in each zone"
  }
  assert {
    condition = alltrue([
      for subnet in concat(values(aws_subnet.private), values(aws_subnet.public)) : !subnet.map_public_ip_on_launch
    ])
    error_message = "nothing gets a public address by itself"
  }
  assert {
    condition = length(distinct([
      for subnet in concat(values(aws_subnet.private), values(aws_subnet.public)) : subnet.cidr_block
    ])) == 4
    error_message = "each subnet has a block of its own"
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.https) == 0
    error_message = "nobody reaches the load balancer unless told"
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_egress_rule.internet : rule.ip_protocol == "tcp"])
    error_message = "the internet is reached by named ports only"
  }
  assert {
    condition     = aws_flow_log.main.traffic_type == "ALL"
    error_message = "refused and accepted connections are noted"
  }
}

run "one_nat_serves_all_zones" {
  command = plan
  module {
    source = "./modules/network"
  }
  variables {
    nat = "single"
  }
  assert {
    condition     = length(aws_nat_gateway.main) == 1 && length(aws_route.nat) == 2
    error_message = "one gateway, a route from each zone"
  }
}

run "smallest_network_holds_all_subnets" {
  command = plan
  module {
    source = "./modules/network"
  }
  variables {
    cidr  = "10.0.0.0/20"
    zones = ["a", "b", "c", "d"]
  }
  assert {
    condition = (
      aws_subnet.public["eu-central-1d"].cidr_block == "10.0.0.48/28"
      && aws_subnet.inner["endpoints-eu-central-1a"].cidr_block == "10.0.0.128/28"
      && aws_subnet.inner["control_store-eu-central-1d"].cidr_block == "10.0.1.48/28"
      && aws_subnet.private["eu-central-1a"].cidr_block == "10.0.4.0/24"
    )
    error_message = "four zones of all kinds fit into a /20"
  }
}

run "refuses_what_cannot_be" {
  command = plan
  module {
    source = "./modules/network"
  }
  variables {
    name                = "A"            # too short, a capital
    cidr                = "10.0.0.0/24"  # too small for four kinds of subnets
    zones               = ["a"]          # one failure takes all
    nat                 = "none"         # unknown
    interface_endpoints = ["ec2"]        # no node of QuestDB could join
    database_ports      = { pg = 70000 } # out of range
    gateway_port        = 8443.5         # not whole
    ingress_cidrs       = ["everybody"]  # no network
    api_server_cidrs    = ["0.0.0.0/0"]  # everybody
  }
  expect_failures = [
    var.name, var.cidr, var.zones, var.nat, var.interface_endpoints, var.database_ports, var.gateway_port,
    var.ingress_cidrs, var.api_server_cidrs,
  ]
}

run "refuses_a_zone_twice_and_what_is_no_network" {
  command = plan
  module {
    source = "./modules/network"
  }
  variables {
    zones = ["a", "a"]
    cidr  = "10.0.0.0"
  }
  expect_failures = [var.zones, var.cidr]
}

run "refuses_whole_names_of_zones" {
  command = plan
  module {
    source = "./modules/network"
  }
  variables {
    zones = ["eu-central-1a", "eu-central-1b"]
  }
  expect_failures = [var.zones]
}

run "people_reach_the_api_server_from_networks_that_are_named" {
  command = plan
  module {
    source = "./modules/network"
  }
  variables {
    api_server_cidrs = ["10.8.0.0/24"]
  }
  assert {
    condition = (
      keys(aws_vpc_security_group_ingress_rule.api_server) == ["10.8.0.0/24"]
      && aws_vpc_security_group_ingress_rule.api_server["10.8.0.0/24"].from_port == 443
      && aws_vpc_security_group_ingress_rule.api_server["10.8.0.0/24"].to_port == 443
    )
    error_message = "by HTTPS, and by nothing else"
  }
}

run "health_checks_come_in" {
  command = plan
  module {
    source = "./modules/network"
  }
  variables {
    ingress_cidrs = ["203.0.113.0/24"]
    watched       = true
  }
  assert {
    condition = alltrue([
      for rule in aws_vpc_security_group_ingress_rule.health_checks : rule.from_port == 443 && rule.cidr_ipv4 == null
    ]) && length(aws_vpc_security_group_ingress_rule.health_checks) == 1
    error_message = "who decides which place is well reaches the load balancer too"
  }
}
