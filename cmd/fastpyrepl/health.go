package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gjyotin305/fastpyrepl/configs"
)

const (
	healthTimeout = 5 * time.Second
	maxHealth     = 4096 // bytes read of the answer
)

// healthCommand asks a daemon whether it serves: for the health check of its container, whose image holds nothing else.
func (p *process) healthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running daemon whether it serves; the exit code tells",
		Args:  noArgs,
	}
	url := cmd.Flags().String("url", "", "`URL` of the daemon (default $FASTPYREPL_URL, else where the configuration says it listens)")
	addConfig(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		base := *url
		if base == "" {
			base = p.getenv("FASTPYREPL_URL")
		}
		if base == "" {
			src, err := p.source(cmd.Flags())
			if err != nil {
				return usageError{err}
			}
			cfg, err := configs.Load(src)
			if err != nil {
				return usageError{err}
			}
			base = baseURL(cfg.Server.Host, cfg.Server.Port)
		}
		answer, err := askHealth(cmd.Context(), base)
		if err != nil {
			return fmt.Errorf("%s does not serve: %w", base, err)
		}
		fmt.Fprintln(p.stdout, answer)
		return nil
	}
	return cmd
}

// baseURL is where a daemon that listens on host can be reached from this machine.
func baseURL(host string, port int) string {
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsUnspecified() {
		host = "127.0.0.1"
		if addr.Is6() {
			host = "::1"
		}
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(port))
}

func askHealth(ctx context.Context, base string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+"/health", nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // and no proxy
	resp, err := client.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			return "", op
		}
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxHealth))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("it answers %s", resp.Status)
	}
	return strings.TrimSpace(string(body)), nil
}
