# QuestDB's disks: gp3 volumes of a stated size and speed, encrypted, copied here and to a second region, watched; and
# instances outside of the cluster, where QuestDB is not to run in it.

locals {
  policy = "arn:${var.account.partition}:iam::aws:policy"

  # What DLM looks for.
  snapshot_tag = { Snapshots = var.name }
}

resource "aws_ebs_volume" "data" {
  for_each = var.nodes

  availability_zone = each.value.zone
  type              = "gp3"
  size              = var.size_gib
  iops              = var.iops
  throughput        = var.throughput_mib_s
  encrypted         = true
  kms_key_id        = var.keys.data
  final_snapshot    = var.final_snapshot
  tags              = merge(local.snapshot_tag, { Name = "${var.name}-questdb-${each.key}" })
}
