locals {
  # Pods have addresses, and their network policies are enforced, before the first node joins.
  addons_before = {
    kube-proxy = {}
    vpc-cni = {
      role          = "vpc-cni"
      configuration = jsonencode({ enableNetworkPolicy = "true" })
    }
  }
  addons_after = {
    coredns             = {}
    metrics-server      = {}
    snapshot-controller = {}
    aws-ebs-csi-driver  = { role = "ebs-csi" }
    aws-efs-csi-driver  = { role = "efs-csi" }
  }
}

data "aws_eks_addon_version" "main" {
  for_each = var.addons_enabled ? toset(concat(keys(local.addons_before), keys(local.addons_after))) : toset([])

  addon_name         = each.key
  kubernetes_version = aws_eks_cluster.main.version
}

resource "aws_eks_addon" "before_nodes" {
  for_each = var.addons_enabled ? local.addons_before : {}

  cluster_name                = aws_eks_cluster.main.name
  addon_name                  = each.key
  addon_version               = data.aws_eks_addon_version.main[each.key].version
  configuration_values        = try(each.value.configuration, null)
  service_account_role_arn    = try(aws_iam_role.workload[each.value.role].arn, null)
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
}

resource "aws_eks_addon" "after_nodes" {
  for_each = var.addons_enabled ? local.addons_after : {}

  cluster_name                = aws_eks_cluster.main.name
  addon_name                  = each.key
  addon_version               = data.aws_eks_addon_version.main[each.key].version
  service_account_role_arn    = try(aws_iam_role.workload[each.value.role].arn, null)
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  depends_on = [aws_eks_node_group.main]
}
