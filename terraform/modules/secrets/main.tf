# Keys by what they protect, and entries of the secret store: without values, for a value that Terraform knew would lie
# in its state. They are put in by hand or by a rotation, for one `aws secretsmanager put-secret-value --secret-id
# ares-prod/database --secret-string file:///dev/stdin`.

resource "aws_secretsmanager_secret" "main" {
  #checkov:skip=CKV2_AWS_57:entries name the operator's function where one rotates; a venue's key only the venue changes
  for_each = var.entries

  name                    = "${var.name}/${each.key}"
  description             = each.value.description
  kms_key_id              = aws_kms_key.first["secrets"].arn
  recovery_window_in_days = var.recovery_days

  replica {
    region     = var.second_region
    kms_key_id = aws_kms_key.second["secrets"].arn
  }
}

data "aws_iam_policy_document" "refusals" {
  for_each = var.entries

  statement {
    sid       = "RefuseOtherAccounts"
    effect    = "Deny"
    actions   = ["secretsmanager:*"]
    resources = [aws_secretsmanager_secret.main[each.key].arn]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "StringNotEquals"
      variable = "aws:PrincipalAccount"
      values   = [var.account.id]
    }
    condition {
      test     = "Bool"
      variable = "aws:PrincipalIsAWSService"
      values   = ["false"]
    }
  }
}

resource "aws_secretsmanager_secret_policy" "main" {
  for_each = var.entries

  secret_arn          = aws_secretsmanager_secret.main[each.key].arn
  policy              = data.aws_iam_policy_document.refusals[each.key].json
  block_public_policy = true
}

# Hooks: the function is the operator's. Running services take a new value up within secrets.refresh_s.
resource "aws_secretsmanager_secret_rotation" "main" {
  #checkov:skip=CKV_AWS_304:the operator says after how many days, as fits the function that does it
  for_each = { for name, each in var.entries : name => each.rotation if each.rotation != null }

  secret_id           = aws_secretsmanager_secret.main[each.key].id
  rotation_lambda_arn = each.value.lambda_arn
  rotate_immediately  = false

  rotation_rules {
    automatically_after_days = each.value.every_days
  }

  depends_on = [aws_lambda_permission.rotation]
}

resource "aws_lambda_permission" "rotation" {
  for_each = { for name, each in var.entries : name => each.rotation if each.rotation != null }

  statement_id   = "rotate-${replace("${var.name}-${each.key}", "/", "-")}"
  action         = "lambda:InvokeFunction"
  function_name  = each.value.lambda_arn
  principal      = "secretsmanager.amazonaws.com"
  source_account = var.account.id
  source_arn     = aws_secretsmanager_secret.main[each.key].arn
}

resource "aws_cloudwatch_event_rule" "trouble" {
  name        = "${var.name}-secrets"
  description = "A rotation failed, or a secret or its replica is deleted"
  event_pattern = jsonencode({
    source      = ["aws.secretsmanager"]
    detail-type = ["AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"]
    detail = {
      eventName = ["CancelRotateSecret", "DeleteSecret", "RemoveRegionsFromReplication", "RotationFailed"]
    }
  })
}

resource "aws_cloudwatch_event_target" "trouble" {
  rule      = aws_cloudwatch_event_rule.trouble.name
  target_id = "alerts"
  arn       = var.alarm_topic_arn
}
