output "vpc_id" {
  description = "The network."
  value       = aws_vpc.main.id
}

output "private_subnet_ids" {
  description = "Subnets of nodes, by zone."
  value       = { for zone, subnet in aws_subnet.private : zone => subnet.id }
}

output "public_subnet_ids" {
  description = "Subnets of load balancers and NAT, by zone."
  value       = { for zone, subnet in aws_subnet.public : zone => subnet.id }
}

output "inner_subnet_ids" {
  description = "Subnets of api_server and control_store, each by zone."
  value = {
    for kind in ["api_server", "control_store"] :
    kind => { for key, each in local.inner : each.zone => aws_subnet.inner[key].id if each.kind == kind }
  }
}

output "ranges" {
  description = "Ranges that hold a kind of subnets in all zones: public, endpoints, api_server, control_store, nodes."
  value       = local.ranges
}

output "security_group_ids" {
  description = "By what they are for: control_plane, general, questdb, endpoints, load_balancer, control_store, files."
  value       = { for name, group in aws_security_group.main : name => group.id }
}

output "nat_gateway_ids" {
  description = "By zone."
  value       = { for zone, gateway in aws_nat_gateway.main : zone => gateway.id }
}

output "nat_public_ips" {
  description = "From these addresses the platform reaches venues: bind the venue's keys to them."
  value       = [for zone in sort(keys(aws_eip.nat)) : aws_eip.nat[zone].public_ip]
}
