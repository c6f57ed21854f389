# dev: one of everything that may be lost. It is destroyed as easily as it is made.
locals {
  sizes = {
    name      = "ares-dev"
    namespace = "ares-staging"
    zones     = ["a", "b"]
    cidr      = "10.20.0.0/16"
    nat       = "single"

    general = {
      instance_types = ["m7i.large", "m6i.large"]
      nodes_min      = 2
      nodes_max      = 4
    }
    questdb = {
      nodes            = { primary = "a" }
      placement        = "cluster"
      instance_type    = "r7i.large"
      ami_id           = null
      size_gib         = 100
      iops             = 3000
      throughput_mib_s = 125
    }
    control_store = {
      instance_class = "db.t4g.small"
      size_gib       = 20
      multi_az       = false
    }
    keep = {
      logs_days        = 30
      lock_mode        = "GOVERNANCE"
      lock_days        = 1
      superseded_days  = 7
      snapshot_hours   = 12
      snapshots        = 4
      volume_copy_days = 7
      recovery_days    = 7
      destroyable      = true
    }
    copies_in_minutes = false
  }
}
