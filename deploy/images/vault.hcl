# One Vault beside the containers of the demo: its files in a volume, TLS by the authority that they all share.
storage "file" { path = "/vault/file" }
listener "tcp" {
  address       = "0.0.0.0:8200"
  tls_cert_file = "/run/secrets/gateway/server.pem"
  tls_key_file  = "/run/secrets/gateway/server.key"
}
api_addr      = "https://vault:8200"
disable_mlock = true # it has no right to lock memory; keep swap off or encrypted
ui            = false
