output "name" {
  description = "The cluster."
  value       = aws_eks_cluster.main.name
}

output "endpoint" {
  description = "Address of the API server; within the network only, unless public_cidrs are set."
  value       = aws_eks_cluster.main.endpoint
}

output "certificate_authority" {
  description = "Of the API server, as base64."
  value       = aws_eks_cluster.main.certificate_authority[0].data
}

output "role_arns" {
  description = "Of service accounts, by name: the annotation eks.amazonaws.com/role-arn."
  value       = { for name, role in aws_iam_role.workload : name => role.arn }
}

output "service_accounts" {
  description = "Which service accounts each role is for, as namespace/name."
  value       = local.service_accounts
}

output "repository_urls" {
  description = "Of images, by name."
  value       = { for name, repository in aws_ecr_repository.main : name => repository.repository_url }
}

output "autoscaling_groups" {
  description = "Names of the groups behind the node groups."
  value       = { for name, group in aws_eks_node_group.main : name => group.resources[0].autoscaling_groups[0].name }
}

output "pods_log_group" {
  description = "Where the log shipper writes."
  value       = aws_cloudwatch_log_group.pods.name
}
