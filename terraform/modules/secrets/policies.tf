locals {
  secrets = "arn:${var.account.partition}:secretsmanager:${var.account.region}:${var.account.id}:secret"
}

# What External Secrets may do: read what lies under the prefix, no more.
data "aws_iam_policy_document" "read" {
  statement {
    sid       = "Read"
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    resources = ["${local.secrets}:${coalesce(var.read_prefix, var.name)}/*"]
  }
  statement {
    sid       = "KeyThroughSecretsManager"
    actions   = ["kms:Decrypt"]
    resources = compact([aws_kms_key.first["secrets"].arn, var.read_key_arn])
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${var.account.region}.amazonaws.com"]
    }
  }
}
