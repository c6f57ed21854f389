mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "global"
  source = "./tests/mocks"
}

variables {
  name         = "ares-test"
  account      = { id = "123456789012", partition = "aws", region = "eu-central-1" }
  vpc_id       = "vpc-1"
  domain       = "ares.example.com"
  alert_emails = ["ops@example.com"]
}

run "fails_over" {
  command = plan
  module {
    source = "./modules/dns"
  }
  assert {
    condition = (
      aws_route53_record.api["first"].failover_routing_policy[0].type == "PRIMARY"
      && aws_route53_record.api["second"].failover_routing_policy[0].type == "SECONDARY"
    )
    error_message = "first, then second"
  }
  assert {
    condition     = aws_route53_record.api["first"].records == toset(["first.api.ares.example.com"])
    error_message = "the name that moves leads to the place's own"
  }
  assert {
    condition     = aws_route53_health_check.place["first"].type == "HTTPS"
    error_message = "asked as users ask"
  }
  assert {
    condition     = length(aws_route53_record.place) == 0
    error_message = "no address before there is a load balancer"
  }
}

run "second_place_sets_its_own_name_only" {
  command = plan
  module {
    source = "./modules/dns"
  }
  variables {
    site          = "second"
    zone_id       = "Z0123456789ABCDEFGHIJ"
    load_balancer = { dns_name = "lb.eu-west-1.elb.amazonaws.com", zone_id = "Z32O12XQLNTSW2" }
  }
  assert {
    condition     = length(aws_route53_record.api) == 0 && startswith(aws_route53_record.place[0].name, "second.api.")
    error_message = "only second.api"
  }
  assert {
    condition     = length(aws_route53_zone.public) == 0 && length(aws_route53_health_check.place) == 0
    error_message = "in the first one's zone"
  }
}

run "no_public_names" {
  command = plan
  module {
    source = "./modules/dns"
  }
  variables {
    domain = null
  }
  assert {
    condition     = length(aws_acm_certificate.api) == 0 && length(aws_route53_zone.public) == 0
    error_message = "nothing is public"
  }
}

run "private_names" {
  command = plan
  module {
    source = "./modules/dns"
  }
  variables {
    private_records = { questdb-primary = ["10.20.16.10"] }
  }
  assert {
    condition     = aws_route53_record.private["questdb-primary"].name == "questdb-primary.ares.internal"
    error_message = "in the private zone"
  }
}

run "refuses_what_cannot_be" {
  command = plan
  module {
    source = "./modules/dns"
  }
  variables {
    domain      = "ares.example.com." # a dot at its end
    zone_id     = "ares.example.com"  # no id
    health_path = "health"            # no path
  }
  expect_failures = [var.domain, var.zone_id, var.health_path]
}

run "refuses_a_second_place_without_the_zone" {
  command = plan
  module {
    source = "./modules/dns"
  }
  variables {
    site = "second"
  }
  expect_failures = [var.site]
}

run "refuses_a_third_place" {
  command = plan
  module {
    source = "./modules/dns"
  }
  variables {
    site = "third"
  }
  expect_failures = [var.site]
}
