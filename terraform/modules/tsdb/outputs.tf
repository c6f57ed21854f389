output "volumes" {
  description = "Data volumes by node: id, zone and size, for the PersistentVolumes of the cluster."
  value = {
    for name, volume in aws_ebs_volume.data :
    name => { id = volume.id, zone = volume.availability_zone, size_gib = volume.size }
  }
}

output "instances" {
  description = "Instances by node, where placement is ec2: id and private address."
  value = {
    for name, instance in aws_instance.questdb : name => { id = instance.id, private_ip = instance.private_ip }
  }
}

output "vault_names" {
  description = "Vaults of AWS Backup, in the first and the second region."
  value       = { first = aws_backup_vault.first.name, second = aws_backup_vault.second.name }
}
