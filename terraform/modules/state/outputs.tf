output "control_store" {
  description = "Address of the control store, and the secret in which AWS keeps its master's password."
  value = {
    host       = aws_db_instance.control.address
    port       = aws_db_instance.control.port
    database   = aws_db_instance.control.db_name
    secret_arn = try(aws_db_instance.control.master_user_secret[0].secret_arn, null)
  }
}

output "file_system_id" {
  description = "The shared folder, once nodes can reach it."
  value       = local.file_system_id
  depends_on  = [aws_efs_mount_target.shared]
}

output "copies" {
  description = "In the second region: backups of the control store, the copy of the folder. Null where there are none."
  value = {
    control_backups = one(aws_db_instance_automated_backups_replication.control[*].id)
    file_system_id  = try(aws_efs_replication_configuration.shared[0].destination[0].file_system_id, null)
  }
}
