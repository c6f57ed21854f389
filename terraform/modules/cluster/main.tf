# Kubernetes on EKS: a private API server, encrypted secrets, node groups that grow (QuestDB's are tainted), add-ons, a
# role for each service account that needs AWS, and repositories of images.

locals {
  policy = "arn:${var.account.partition}:iam::aws:policy"
}

data "aws_iam_policy_document" "cluster_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["eks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "cluster" {
  name               = "${var.name}-cluster"
  assume_role_policy = data.aws_iam_policy_document.cluster_trust.json
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "${local.policy}/AmazonEKSClusterPolicy"
}

# EKS writes into the group of this name. Made first, so that it has a key and an end.
resource "aws_cloudwatch_log_group" "cluster" {
  #checkov:skip=CKV_AWS_338:each environment says how long its logs are kept; prod keeps a year
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.keys.logs
}

resource "aws_cloudwatch_log_group" "pods" {
  #checkov:skip=CKV_AWS_338:each environment says how long its logs are kept; prod keeps a year
  name              = "/${var.name}/pods"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.keys.logs
}

resource "aws_eks_cluster" "main" {
  #checkov:skip=CKV_AWS_39:public only where public_cidrs says for whom, and never for the whole internet (validated)
  #checkov:skip=CKV_AWS_38:as above
  #checkov:skip=CKV_AWS_339:the version is a variable, checked against what the manifests are checked against
  name                      = var.name
  version                   = var.kubernetes_version
  role_arn                  = aws_iam_role.cluster.arn
  enabled_cluster_log_types = ["api", "audit", "authenticator", "controllerManager", "scheduler"]

  # Only who is named is let in, not who happened to make it.
  dynamic "access_config" {
    for_each = var.access_enabled ? [1] : []
    content {
      authentication_mode                         = "API"
      bootstrap_cluster_creator_admin_permissions = false
    }
  }

  vpc_config {
    subnet_ids              = [for zone in sort(keys(var.api_server_subnet_ids)) : var.api_server_subnet_ids[zone]]
    security_group_ids      = [var.security_group_ids["control_plane"]]
    endpoint_private_access = true
    endpoint_public_access  = length(var.public_cidrs) > 0
    public_access_cidrs     = length(var.public_cidrs) > 0 ? var.public_cidrs : null
  }

  encryption_config {
    resources = ["secrets"]
    provider {
      key_arn = var.keys.secrets
    }
  }

  depends_on = [aws_iam_role_policy_attachment.cluster, aws_cloudwatch_log_group.cluster]
}

resource "aws_eks_access_entry" "admin" {
  for_each = var.access_enabled ? var.admins : {}

  cluster_name  = aws_eks_cluster.main.name
  principal_arn = each.value
}

resource "aws_eks_access_policy_association" "admin" {
  for_each = var.access_enabled ? var.admins : {}

  cluster_name  = aws_eks_cluster.main.name
  principal_arn = aws_eks_access_entry.admin[each.key].principal_arn
  policy_arn    = "arn:${var.account.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
  access_scope {
    type = "cluster"
  }
}
