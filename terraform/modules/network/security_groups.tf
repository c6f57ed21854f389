# Who may talk to whom. Inside the cluster network policies say it per pod; these hold where a policy is missing.
#
# QuestDB's nodes take the database's ports from the general nodes and nothing else, and reach no address outside
# of this network but AWS' own services through endpoints: what got into a database cannot send it away.

locals {
  groups = {
    control_plane = "Kubernetes API server"
    general       = "Nodes of everything but QuestDB"
    questdb       = "Nodes of QuestDB"
    endpoints     = "Endpoints of AWS services"
    load_balancer = "Load balancer of the API"
    control_store = "Postgres of the control store"
    files         = "Folder that services share"
  }

  # from -> to on ports; each becomes one rule out and one rule in
  port_rules = merge(
    { for port in var.webhook_ports : "webhook_${port}" => { from = "control_plane", to = "general", port = port } },
    { for name, port in var.database_ports : "database_${name}" => { from = "general", to = "questdb", port = port } },
    {
      kubelet_general    = { from = "control_plane", to = "general", port = 10250 }
      kubelet_questdb    = { from = "control_plane", to = "questdb", port = 10250 }
      kubelet_metrics    = { from = "general", to = "questdb", port = 10250 }
      api_server_general = { from = "general", to = "control_plane", port = 443 }
      api_server_questdb = { from = "questdb", to = "control_plane", port = 443 }
      endpoints_general  = { from = "general", to = "endpoints", port = 443 }
      endpoints_questdb  = { from = "questdb", to = "endpoints", port = 443 }
      gateway            = { from = "load_balancer", to = "general", port = var.gateway_port }
      control_general    = { from = "general", to = "control_store", port = 5432 }
      control_questdb    = { from = "questdb", to = "control_store", port = 5432 }
      files_general      = { from = "general", to = "files", port = 2049 }
    },
  )

  # all ports: pods reach each other, and pods beside QuestDB (backups) reach what they need in the cluster
  open_rules = {
    general_general = { from = "general", to = "general" }
    questdb_questdb = { from = "questdb", to = "questdb" }
    questdb_general = { from = "questdb", to = "general" }
  }
}

resource "aws_security_group" "main" {
  #checkov:skip=CKV2_AWS_5:attached by the modules cluster and tsdb, and to the load balancer by its controller
  for_each = local.groups

  name        = "${var.name}-${replace(each.key, "_", "-")}"
  description = each.value
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${var.name}-${replace(each.key, "_", "-")}" }
}

resource "aws_vpc_security_group_ingress_rule" "port" {
  for_each = local.port_rules

  security_group_id            = aws_security_group.main[each.value.to].id
  referenced_security_group_id = aws_security_group.main[each.value.from].id
  description                  = each.key
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "port" {
  for_each = local.port_rules

  security_group_id            = aws_security_group.main[each.value.from].id
  referenced_security_group_id = aws_security_group.main[each.value.to].id
  description                  = each.key
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "open" {
  for_each = local.open_rules

  security_group_id            = aws_security_group.main[each.value.to].id
  referenced_security_group_id = aws_security_group.main[each.value.from].id
  description                  = each.key
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "open" {
  for_each = local.open_rules

  security_group_id            = aws_security_group.main[each.value.from].id
  referenced_security_group_id = aws_security_group.main[each.value.to].id
  description                  = each.key
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "internet" {
  for_each = { for port in var.venue_ports : tostring(port) => port }

  security_group_id = aws_security_group.main["general"].id
  description       = "venues and services outside"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  security_group_id = aws_security_group.main["questdb"].id
  description       = "S3 through its endpoint: backups, image layers"
  prefix_list_id    = data.aws_ec2_managed_prefix_list.s3.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

data "aws_ec2_managed_prefix_list" "health_checks" {
  count = var.watched ? 1 : 0

  name = "com.amazonaws.${var.account.region}.route53-healthchecks"
}

resource "aws_vpc_security_group_ingress_rule" "health_checks" {
  count = var.watched ? 1 : 0

  security_group_id = aws_security_group.main["load_balancer"].id
  description       = "health checks, by which users are sent to the second place"
  prefix_list_id    = data.aws_ec2_managed_prefix_list.health_checks[0].id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  for_each = var.ingress_cidrs

  security_group_id = aws_security_group.main["load_balancer"].id
  description       = "users"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "api_server" {
  for_each = var.api_server_cidrs

  security_group_id = aws_security_group.main["control_plane"].id
  description       = "people and deploys"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
