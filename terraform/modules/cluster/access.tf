# Roles of service accounts: each is for named ones of named namespaces, and the token must be meant for STS.

locals {
  issuer = trimprefix(aws_eks_cluster.main.identity[0].oidc[0].issuer, "https://")

  service_accounts = merge(
    {
      vpc-cni                      = ["kube-system/aws-node"]
      ebs-csi                      = ["kube-system/ebs-csi-controller-sa"]
      efs-csi                      = ["kube-system/efs-csi-controller-sa"]
      autoscaler                   = ["kube-system/cluster-autoscaler"]
      aws-load-balancer-controller = ["kube-system/aws-load-balancer-controller"]
      log-shipper                  = ["logging/fluent-bit"]
    },
    { for name, each in var.workloads : name => sort(each.service_accounts) },
  )

  policies = merge(
    {
      autoscaler                   = data.aws_iam_policy_document.autoscaler.json
      aws-load-balancer-controller = data.aws_iam_policy_document.load_balancer.json
      log-shipper                  = data.aws_iam_policy_document.log_shipper.json
    },
    { for name, each in var.workloads : name => each.policy },
  )

  # AWS' own, bounded by tags that only these drivers set
  managed_policies = {
    vpc-cni = "AmazonEKS_CNI_Policy"
    ebs-csi = "service-role/AmazonEBSCSIDriverPolicy"
    efs-csi = "service-role/AmazonEFSCSIDriverPolicy"
  }
}

resource "aws_iam_openid_connect_provider" "cluster" {
  url            = aws_eks_cluster.main.identity[0].oidc[0].issuer
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "workload_trust" {
  for_each = local.service_accounts

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.cluster.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = [for account in each.value : "system:serviceaccount:${replace(account, "/", ":")}"]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "workload" {
  for_each = local.service_accounts

  name                 = "${var.name}-${each.key}"
  description          = "${join(", ", each.value)} in ${var.name}"
  assume_role_policy   = data.aws_iam_policy_document.workload_trust[each.key].json
  max_session_duration = 3600
}

resource "aws_iam_policy" "workload" {
  for_each = toset([for name in keys(local.service_accounts) : name if !contains(keys(local.managed_policies), name)])

  name   = "${var.name}-${each.key}"
  policy = local.policies[each.key]
}

resource "aws_iam_role_policy_attachment" "workload" {
  for_each = aws_iam_policy.workload

  role       = aws_iam_role.workload[each.key].name
  policy_arn = each.value.arn
}

resource "aws_iam_role_policy_attachment" "managed" {
  for_each = local.managed_policies

  role       = aws_iam_role.workload[each.key].name
  policy_arn = "${local.policy}/${each.value}"
}
