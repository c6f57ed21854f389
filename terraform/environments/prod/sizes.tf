# prod: a zone may be lost at any time; what was written cannot be taken away by anybody for a month.
locals {
  sizes = {
    name      = "ares-prod"
    namespace = "ares"
    zones     = ["a", "b", "c"]
    cidr      = "10.40.0.0/16"
    nat       = "per_zone"

    general = {
      instance_types = ["m7i.xlarge", "m6i.xlarge"]
      nodes_min      = 3
      nodes_max      = 12
    }
    questdb = {
      nodes            = { primary = "a", replica = "b" }
      placement        = "cluster"
      instance_type    = "r7i.2xlarge"
      ami_id           = null
      size_gib         = 1000
      iops             = 6000
      throughput_mib_s = 500
    }
    control_store = {
      instance_class = "db.m7g.large"
      size_gib       = 50
      multi_az       = true
    }
    keep = {
      logs_days        = 365
      lock_mode        = "COMPLIANCE"
      lock_days        = 30
      superseded_days  = 90
      snapshot_hours   = 1
      snapshots        = 48
      volume_copy_days = 35
      recovery_days    = 30
      destroyable      = false
    }
    copies_in_minutes = true
  }
}
