resource "aws_ecr_repository" "main" {
  for_each = var.repositories

  name                 = "${var.name}/${each.key}"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.force_destroy

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = var.keys.data
  }
}

resource "aws_ecr_lifecycle_policy" "main" {
  for_each = aws_ecr_repository.main

  repository = each.value.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "the newest ${var.images_kept}"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.images_kept }
      action       = { type = "expire" }
    }]
  })
}

# All repositories, what was mirrored for QuestDB's nodes too. A registry has one such configuration: leave
# images_copied_to null where another stack of the account has set it.
resource "aws_ecr_replication_configuration" "main" {
  count = var.images_copied_to == null ? 0 : 1

  replication_configuration {
    rule {
      destination {
        region      = var.images_copied_to
        registry_id = var.account.id
      }
    }
  }
}
