# Through S3's endpoint only buckets of this account, and those of others that nodes need: image layers (AWS', and those
# of registry.k8s.io, which sends who asks from AWS to a bucket of its own), packages.
data "aws_iam_policy_document" "s3_endpoint" {
  statement {
    sid       = "OwnBuckets"
    actions   = ["s3:*"]
    resources = ["*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [var.account.id]
    }
  }
  statement {
    sid     = "ImagesAndPackages"
    actions = ["s3:GetObject"]
    resources = [
      "arn:${var.account.partition}:s3:::prod-${var.account.region}-starport-layer-bucket/*",
      "arn:${var.account.partition}:s3:::prod-registry-k8s-io-${var.account.region}/*",
      "arn:${var.account.partition}:s3:::al2023-repos-${var.account.region}-de612dc2/*",
    ]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.main.id
  service_name      = "com.amazonaws.${var.account.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [for zone in keys(local.zones) : aws_route_table.private[zone].id]
  policy            = data.aws_iam_policy_document.s3_endpoint.json
  tags              = { Name = "${var.name}-s3" }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.interface_endpoints

  vpc_id              = aws_vpc.main.id
  service_name        = "com.amazonaws.${var.account.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for zone in keys(local.zones) : aws_subnet.inner["endpoints-${zone}"].id]
  security_group_ids  = [aws_security_group.main["endpoints"].id]
  tags                = { Name = "${var.name}-${each.key}" }
}

data "aws_ec2_managed_prefix_list" "s3" {
  name = "com.amazonaws.${var.account.region}.s3"
}
