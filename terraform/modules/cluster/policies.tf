locals {
  here = "${var.account.region}:${var.account.id}"
  elb  = "arn:${var.account.partition}:elasticloadbalancing:${local.here}"

  elb_service = "elasticloadbalancing.amazonaws.com"

  # The controller tags what it makes with the cluster's name; what lacks the tag it may not touch.
  made_by_controller = "elbv2.k8s.aws/cluster"
}

data "aws_iam_policy_document" "autoscaler" {
  #checkov:skip=CKV_AWS_356:AWS has no resources for these Describe actions
  statement {
    sid = "Look"
    actions = [
      "autoscaling:DescribeAutoScalingGroups",
      "autoscaling:DescribeAutoScalingInstances",
      "autoscaling:DescribeLaunchConfigurations",
      "autoscaling:DescribeScalingActivities",
      "autoscaling:DescribeTags",
      "ec2:DescribeImages",
      "ec2:DescribeInstanceTypes",
      "ec2:DescribeLaunchTemplateVersions",
      "ec2:GetInstanceTypesFromInstanceRequirements",
    ]
    resources = ["*"]
  }
  statement {
    sid       = "LookAtGroups"
    actions   = ["eks:DescribeNodegroup"]
    resources = ["arn:${var.account.partition}:eks:${local.here}:nodegroup/${var.name}/*"]
  }
  statement {
    sid       = "Scale"
    actions   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    resources = ["arn:${var.account.partition}:autoscaling:${local.here}:autoScalingGroup:*:autoScalingGroupName/eks-*"]
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/k8s.io/cluster-autoscaler/${var.name}"
      values   = ["owned"]
    }
  }
}

data "aws_iam_policy_document" "log_shipper" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = [aws_cloudwatch_log_group.pods.arn, "${aws_cloudwatch_log_group.pods.arn}:*"]
  }
}

data "aws_iam_policy_document" "load_balancer" {
  #checkov:skip=CKV_AWS_356:AWS has no resources for these Describe, List and Get actions
  statement {
    sid = "Look"
    actions = [
      "acm:DescribeCertificate",
      "acm:ListCertificates",
      "ec2:DescribeAccountAttributes",
      "ec2:DescribeAddresses",
      "ec2:DescribeAvailabilityZones",
      "ec2:DescribeInstances",
      "ec2:DescribeInternetGateways",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeTags",
      "ec2:DescribeVpcs",
      "elasticloadbalancing:DescribeListenerAttributes",
      "elasticloadbalancing:DescribeListenerCertificates",
      "elasticloadbalancing:DescribeListeners",
      "elasticloadbalancing:DescribeLoadBalancerAttributes",
      "elasticloadbalancing:DescribeLoadBalancers",
      "elasticloadbalancing:DescribeRules",
      "elasticloadbalancing:DescribeSSLPolicies",
      "elasticloadbalancing:DescribeTags",
      "elasticloadbalancing:DescribeTargetGroupAttributes",
      "elasticloadbalancing:DescribeTargetGroups",
      "elasticloadbalancing:DescribeTargetHealth",
    ]
    resources = ["*"]
  }

  # Its first load balancer in an account needs the role that ELB itself works with.
  statement {
    sid       = "RoleOfELB"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["arn:${var.account.partition}:iam::${var.account.id}:role/aws-service-role/${local.elb_service}/*"]
    condition {
      test     = "StringEquals"
      variable = "iam:AWSServiceName"
      values   = [local.elb_service]
    }
  }

  # It opens no security group: those of nodes and load balancer are the module network's, named by an annotation.
  statement {
    sid       = "Make"
    actions   = ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"]
    resources = ["${local.elb}:loadbalancer/*", "${local.elb}:targetgroup/*/*"]
    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/${local.made_by_controller}"
      values   = [var.name]
    }
  }

  statement {
    sid       = "TagWhatIsMade"
    actions   = ["elasticloadbalancing:AddTags"]
    resources = ["${local.elb}:loadbalancer/*", "${local.elb}:targetgroup/*/*"]
    condition {
      test     = "StringEquals"
      variable = "elasticloadbalancing:CreateAction"
      values   = ["CreateLoadBalancer", "CreateTargetGroup"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/${local.made_by_controller}"
      values   = [var.name]
    }
  }

  statement {
    sid = "ChangeWhatItMade"
    actions = [
      "elasticloadbalancing:AddTags",
      "elasticloadbalancing:DeleteLoadBalancer",
      "elasticloadbalancing:DeleteTargetGroup",
      "elasticloadbalancing:ModifyLoadBalancerAttributes",
      "elasticloadbalancing:ModifyTargetGroup",
      "elasticloadbalancing:ModifyTargetGroupAttributes",
      "elasticloadbalancing:RemoveTags",
      "elasticloadbalancing:SetIpAddressType",
      "elasticloadbalancing:SetSecurityGroups",
      "elasticloadbalancing:SetSubnets",
    ]
    resources = ["${local.elb}:loadbalancer/*", "${local.elb}:targetgroup/*/*"]
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/${local.made_by_controller}"
      values   = [var.name]
    }
  }

  # Targets, listeners and rules carry no tag in every version of the controller: bounded to this account and region.
  statement {
    sid       = "Targets"
    actions   = ["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"]
    resources = ["${local.elb}:targetgroup/*/*"]
  }

  statement {
    sid       = "NewListeners"
    actions   = ["elasticloadbalancing:CreateListener"]
    resources = ["${local.elb}:loadbalancer/*"]
  }

  statement {
    sid = "Listeners"
    actions = [
      "elasticloadbalancing:AddListenerCertificates",
      "elasticloadbalancing:AddTags",
      "elasticloadbalancing:CreateRule",
      "elasticloadbalancing:DeleteListener",
      "elasticloadbalancing:DeleteRule",
      "elasticloadbalancing:ModifyListener",
      "elasticloadbalancing:ModifyListenerAttributes",
      "elasticloadbalancing:ModifyRule",
      "elasticloadbalancing:RemoveListenerCertificates",
      "elasticloadbalancing:RemoveTags",
      "elasticloadbalancing:SetRulePriorities",
    ]
    resources = ["${local.elb}:listener/*", "${local.elb}:listener-rule/*"]
  }
}
