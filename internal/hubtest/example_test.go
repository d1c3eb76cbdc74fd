package hubtest_test

import (
	"fmt"
	"log"

	"pulley/internal/hubtest"
)

// A hub outside a test: for a benchmark, or to point a real engine at.
func Example() {
	hub := &hubtest.Hub{Users: map[string]string{"alice": "secret"}, RateLimit: 100}
	if err := hub.Start(); err != nil {
		log.Fatal(err)
	}
	defer hub.Close()
	img := hubtest.RandomImage(1, 2, 1<<20)
	hub.Push("library/alpine", "latest", img)
	hub.SetFaults(
		hubtest.Faults{Kind: hubtest.CDN, Bandwidth: 10 << 20},                        // every blob at 10 MiB/s,
		hubtest.Faults{Digest: img.Layers[0].Digest, Cut: hubtest.At(1000), First: 1}, // one of them cut once
	)
	client := hub.Client()
	defer client.CloseIdleConnections()
	res, err := client.Get("https://registry-1.docker.io/v2/")
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	fmt.Println(res.Status)
	fmt.Println(res.Header.Get("WWW-Authenticate"))
	fmt.Println(hub.Count("GET", "/v2/"))
	// Output:
	// 401 Unauthorized
	// Bearer realm="https://auth.docker.io/token",service="registry.docker.io"
	// 1
}
