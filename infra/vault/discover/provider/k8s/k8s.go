// Package k8s stands for a provider that is not built in.
package k8s

import (
	"log"

	"github.com/hashicorp/go-discover"
)

// Provider asks no Kubernetes.
type Provider struct{}

// Addrs is discover.ErrNowhere.
func (*Provider) Addrs(map[string]string, *log.Logger) ([]string, error) {
	return nil, discover.ErrNowhere
}

// Help says so.
func (*Provider) Help() string { return discover.ErrNowhere.Error() }
