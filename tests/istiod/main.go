// Command istiod is Istio's own control plane, pilot-discovery, unchanged.
//
// Istio publishes no binary that a test could fetch without a container
// registry, and its releases are not served as Go modules; a development
// version is. This file gives that version a main package, go.mod and go.sum
// say exactly what is built.
package main

import (
	"os"

	"istio.io/istio/pilot/cmd/pilot-discovery/app"
)

func main() {
	// cobra has already printed the error when Execute returns one.
	if app.NewRootCommand().Execute() != nil {
		os.Exit(1)
	}
}
