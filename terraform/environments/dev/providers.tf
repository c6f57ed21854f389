provider "aws" {
  region            = var.region
  s3_use_path_style = var.s3_use_path_style
  max_retries       = var.max_retries
  default_tags {
    tags = var.default_tags
  }
}

provider "aws" {
  alias             = "second"
  region            = var.second_region
  s3_use_path_style = var.s3_use_path_style
  max_retries       = var.max_retries
  default_tags {
    tags = var.default_tags
  }
}

# Route 53 measures and logs there.
provider "aws" {
  alias             = "global"
  region            = "us-east-1"
  s3_use_path_style = var.s3_use_path_style
  max_retries       = var.max_retries
  default_tags {
    tags = var.default_tags
  }
}
