# QuestDB outside of the cluster: an instance for each volume. It prepares its disk and its kernel; the release itself
# is put there by whoever operates it (docs/guides/operator/cloud.md).

locals {
  instances = var.placement == "ec2" ? var.nodes : {}
}

data "aws_iam_policy_document" "instance_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "instance" {
  count = var.placement == "ec2" ? 1 : 0

  name               = "${var.name}-questdb"
  assume_role_policy = data.aws_iam_policy_document.instance_trust.json
}

resource "aws_iam_role_policy" "instance" {
  for_each = var.placement == "ec2" ? var.instance_policies : {}

  name   = each.key
  role   = aws_iam_role.instance[0].id
  policy = each.value
}

# People come in by Session Manager: no key, no open port, and every session is in the trail.
resource "aws_iam_role_policy_attachment" "sessions" {
  count = var.placement == "ec2" ? 1 : 0

  role       = aws_iam_role.instance[0].name
  policy_arn = "${local.policy}/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "instance" {
  count = var.placement == "ec2" ? 1 : 0

  name = "${var.name}-questdb"
  role = aws_iam_role.instance[0].name
}

resource "aws_instance" "questdb" {
  for_each = local.instances

  ami                     = var.ami_id
  instance_type           = var.instance_type
  subnet_id               = var.subnet_ids[each.value.zone]
  vpc_security_group_ids  = [var.security_group_id]
  iam_instance_profile    = aws_iam_instance_profile.instance[0].name
  ebs_optimized           = true
  monitoring              = var.monitoring
  disable_api_termination = !var.force_destroy
  user_data = join("\n", [
    "#!/usr/bin/env bash",
    "DEVICE=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${replace(aws_ebs_volume.data[each.key].id, "-", "")}",
    "MOUNT=/var/lib/ares",
    file("${path.module}/prepare.sh"),
  ])
  tags = { Name = "${var.name}-questdb-${each.key}" }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = 30
    encrypted   = true
    kms_key_id  = var.keys.data
  }
}

resource "aws_volume_attachment" "data" {
  for_each = local.instances

  device_name                    = "/dev/sdf"
  volume_id                      = aws_ebs_volume.data[each.key].id
  instance_id                    = aws_instance.questdb[each.key].id
  stop_instance_before_detaching = true
}

resource "aws_cloudwatch_metric_alarm" "host" {
  for_each = local.instances

  alarm_name          = "${var.name}-questdb-${each.key}-host"
  alarm_description   = "The host of QuestDB's instance ${each.key} failed; the instance moves to another one."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 2
  namespace           = "AWS/EC2"
  metric_name         = "StatusCheckFailed_System"
  period              = 60
  statistic           = "Maximum"
  dimensions          = { InstanceId = aws_instance.questdb[each.key].id }
  treat_missing_data  = "breaching"
  alarm_actions       = ["arn:${var.account.partition}:automate:${var.account.region}:ec2:recover", var.alarm_topic_arn]
}
