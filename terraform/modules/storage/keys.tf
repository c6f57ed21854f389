data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:a key's policy speaks of that key alone, whatever its resource says; IAM says who
  #checkov:skip=CKV_AWS_111:as above
  #checkov:skip=CKV_AWS_356:as above
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${var.account.partition}:iam::${var.account.id}:root"]
    }
  }
}

resource "aws_kms_key" "first" {
  description             = "Buckets of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "first" {
  name          = "alias/${var.name}-buckets"
  target_key_id = aws_kms_key.first.key_id
}

resource "aws_kms_key" "second" {
  provider = aws.second

  description             = "Copies of buckets of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "second" {
  provider = aws.second

  name          = "alias/${var.name}-buckets"
  target_key_id = aws_kms_key.second.key_id
}
