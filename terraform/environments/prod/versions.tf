terraform {
  required_version = ">= 1.11.0, < 2.0.0"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }

  # The rest (bucket, region, key) comes by `terraform init -backend-config=backend.hcl`: see backend.hcl.example.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
