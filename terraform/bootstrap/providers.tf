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
