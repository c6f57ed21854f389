output "kustomize" {
  description = "What the manifests of Kubernetes need to know; nothing of it is secret."
  value       = module.platform.kustomize
}

output "cluster" {
  description = "Name and address of the API server, and the group of the nodes, whose members reach it."
  value       = module.platform.cluster
}

output "control_store" {
  description = "Address of the control store, and the secret in which AWS keeps its master's password."
  value       = module.platform.control_store
}

output "addresses" {
  description = "From these addresses the platform reaches venues: bind the venue's keys to them."
  value       = module.platform.addresses
}

output "name_servers" {
  description = "What the registrar has to point to."
  value       = module.platform.name_servers
}

output "questdb_instances" {
  description = "Instances of QuestDB outside of the cluster, if any."
  value       = module.platform.questdb_instances
}

output "for_second_place" {
  description = "What a stack in the second region needs: write it down before the disaster."
  value       = module.platform.for_second_place
}
