// vaultd is HashiCorp Vault's own core behind its own HTTP handler, with the engines that Ares uses: KV, transit and
// AppRole. For tests: storage is in memory unless -dir names a folder, and there is no TLS.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"

	log "github.com/hashicorp/go-hclog"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/logical/transit"
	vhttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

func main() {
	addr := flag.String("listen", "127.0.0.1:8200", "address to listen on; loopback only")
	dir := flag.String("dir", "", "folder of the storage; empty: in memory")
	flag.Parse()
	if err := serve(*addr, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "vaultd:", err)
		os.Exit(1)
	}
}

func serve(addr, dir string) error {
	logger := log.New(&log.LoggerOptions{Level: log.Warn, Output: os.Stderr})
	storage, err := open(dir, logger)
	if err != nil {
		return err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		Logger:             logger,
		DisableMlock:       true,
		BuiltinRegistry:    registry{},
		LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory, "transit": transit.Factory},
		CredentialBackends: map[string]logical.Factory{"approle": approle.Factory},
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	if !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return fmt.Errorf("%s is not a loopback address", addr)
	}
	return http.Serve(listener, vhttp.Handler.Handler(&vault.HandlerProperties{Core: core}))
}

func open(dir string, logger log.Logger) (physical.Backend, error) {
	if dir == "" {
		return inmem.NewInmem(nil, logger)
	}
	return file.NewFileBackend(map[string]string{"path": dir}, logger)
}

// registry tells the plugin catalog which names are built in; the factories themselves are given to NewCore.
type registry struct{}

var names = map[consts.PluginType][]string{
	consts.PluginTypeSecrets:    {"kv", "transit"},
	consts.PluginTypeCredential: {"approle"},
}

func (registry) Contains(name string, kind consts.PluginType) bool {
	for _, known := range names[kind] {
		if known == name {
			return true
		}
	}
	return false
}

func (r registry) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	return nil, r.Contains(name, kind)
}

func (registry) Keys(kind consts.PluginType) []string { return names[kind] }

func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}
