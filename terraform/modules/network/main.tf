# The network: public subnets for load balancers and NAT, private ones for nodes, in two zones or more; who may talk to
# whom (security groups); endpoints of AWS' services; notes of every connection (flow logs).

locals {
  # Blocks of the network. Of each kind of subnet all zones lie within one range, so that a policy can name it.
  #   first quarter   public 0, endpoints 8, API server 12, control store 16 of 256ths and after, for up to four zones
  #   second quarter  nodes, a sixteenth of the network for each zone
  ranges = {
    public        = cidrsubnet(var.cidr, 6, 0)
    endpoints     = cidrsubnet(var.cidr, 6, 2)
    api_server    = cidrsubnet(var.cidr, 6, 3)
    control_store = cidrsubnet(var.cidr, 6, 4)
    nodes         = cidrsubnet(var.cidr, 2, 1)
  }
  inner = merge([
    for kind in ["endpoints", "api_server", "control_store"] : {
      for zone, index in local.zones : "${kind}-${zone}" => { kind = kind, zone = zone, index = index }
    }
  ]...)

  zones      = { for index, letter in var.zones : "${var.account.region}${letter}" => index }
  first_zone = "${var.account.region}${var.zones[0]}"
  nat_zones  = var.nat == "per_zone" ? toset(keys(local.zones)) : toset([local.first_zone])
}

resource "aws_vpc" "main" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  enable_dns_support   = true
  tags                 = { Name = var.name }
}

# What names no security group gets this one: nothing in, nothing out.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "${var.name}-closed" }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = var.name }
}

# Load balancers and NAT only.
resource "aws_subnet" "public" {
  for_each = local.zones

  vpc_id                  = aws_vpc.main.id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(local.ranges.public, 2, each.value)
  map_public_ip_on_launch = false
  tags = {
    Name                     = "${var.name}-public-${each.key}"
    "kubernetes.io/role/elb" = "1"
  }
}

# Nodes.
resource "aws_subnet" "private" {
  for_each = local.zones

  vpc_id                  = aws_vpc.main.id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(local.ranges.nodes, 2, each.value)
  map_public_ip_on_launch = false
  tags = {
    Name                              = "${var.name}-private-${each.key}"
    "kubernetes.io/role/internal-elb" = "1"
  }
}

# What nodes talk to within the network. No way out of it leads from here.
resource "aws_subnet" "inner" {
  for_each = local.inner

  vpc_id                  = aws_vpc.main.id
  availability_zone       = each.value.zone
  cidr_block              = cidrsubnet(local.ranges[each.value.kind], 2, each.value.index)
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.name}-${replace(each.key, "_", "-")}" }
}

resource "aws_route_table" "inner" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "${var.name}-inner" }
}

resource "aws_route_table_association" "inner" {
  for_each = local.inner

  subnet_id      = aws_subnet.inner[each.key].id
  route_table_id = aws_route_table.inner.id
}

resource "aws_eip" "nat" {
  for_each = local.nat_zones

  domain = "vpc"
  tags   = { Name = "${var.name}-nat-${each.key}" }
}

resource "aws_nat_gateway" "main" {
  for_each = local.nat_zones

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id
  tags          = { Name = "${var.name}-${each.key}" }
  depends_on    = [aws_internet_gateway.main]
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

resource "aws_route_table_association" "public" {
  for_each = local.zones

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table" "private" {
  for_each = local.zones

  vpc_id = aws_vpc.main.id
  tags   = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route" "nat" {
  for_each = local.zones

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.main[var.nat == "per_zone" ? each.key : local.first_zone].id
}

resource "aws_route_table_association" "private" {
  for_each = local.zones

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}
