# staging: prod's shape in smaller sizes, so that what works here works there.
locals {
  sizes = {
    name      = "ares-staging"
    namespace = "ares-staging"
    zones     = ["a", "b", "c"]
    cidr      = "10.30.0.0/16"
    nat       = "single"

    general = {
      instance_types = ["m7i.large", "m6i.large"]
      nodes_min      = 3
      nodes_max      = 8
    }
    questdb = {
      nodes            = { primary = "a", replica = "b" }
      placement        = "cluster"
      instance_type    = "r7i.large"
      ami_id           = null
      size_gib         = 200
      iops             = 3000
      throughput_mib_s = 250
    }
    control_store = {
      instance_class = "db.t4g.medium"
      size_gib       = 20
      multi_az       = true
    }
    keep = {
      logs_days        = 90
      lock_mode        = "GOVERNANCE"
      lock_days        = 7
      superseded_days  = 14
      snapshot_hours   = 4
      snapshots        = 12
      volume_copy_days = 14
      recovery_days    = 7
      destroyable      = false
    }
    copies_in_minutes = false
  }
}
