// Clients drives the client that Kubernaut's services use against the audit store at a URL, and says of each thing that it tries whether
// it went well. The client itself is the strictest of the checks: it reads nothing of an answer of which one member does not fit.
//
//	go run -mod=mod . http://127.0.0.1:3000
package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// Nothing that is tried takes longer, all of it together.
const patience = 2 * time.Minute

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run -mod=mod . URL")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	failed, err := run(ctx, os.Args[1])
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if failed > 0 {
		fmt.Printf("%d of %d checks failed\n", failed, len(checks))
		os.Exit(1)
	}
	fmt.Printf("all %d checks passed\n", len(checks))
}

// Tries everything, one after the other, and counts what failed. What fails keeps nothing from being tried.
func run(ctx context.Context, url string) (failed int, err error) {
	s, err := newSession(url)
	if err != nil {
		return 0, err
	}
	for _, check := range checks {
		if err := check.try(ctx, s); err != nil {
			failed++
			fmt.Printf("FAILED  %s: %v\n", check.name, err)
			continue
		}
		fmt.Printf("ok      %s\n", check.name)
	}
	return failed, nil
}
