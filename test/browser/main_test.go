package browser_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gjyotin305/fastpyrepl/test/process"
)

// patience is how long anything here may take.
const patience = time.Minute

// settings are what every daemon is told.
var settings = []string{
	"FASTPYREPL_POOL_SIZE_MIN=1", "FASTPYREPL_POOL_SIZE_MAX=2",
	"FASTPYREPL_SESSIONS_MAX=16", "FASTPYREPL_DOCKER_IMAGES_DEFAULT_REF=fastpyrepl/runner:default",
}

var (
	binary   string          // the command
	open     *instance       // a daemon without keys, which most tests share
	outside  *proxy          // between the browser and everything
	chromium context.Context // the browser; tests open tabs in it
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	fail := func(err error) int {
		fmt.Fprintf(os.Stderr, "these tests need a Docker Engine, the image fastpyrepl/runner:default (make image) and chromium (apt-get install chromium): %v\n", err)
		return 1
	}
	dir, err := os.MkdirTemp("", "fastpyrepl-browser-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	if binary, err = process.Build(ctx, dir); err != nil {
		return fail(err)
	}
	if open, err = start(ctx, "0", filepath.Join(dir, "open")); err != nil {
		return fail(err)
	}
	defer func() {
		if err := open.Stop(syscall.SIGINT); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	if outside, err = newProxy(); err != nil {
		return fail(err)
	}
	defer outside.close()
	chromium, cancel = chromedp.NewExecAllocator(ctx, slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath("chromium"),
		chromedp.NoSandbox, // tests run as root
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		// What browsers ask their maker for, of their own accord.
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true),
		chromedp.Flag("disable-features", "Translate,AutofillServerCommunication,OptimizationHints,OptimizationGuideModelDownloading,MediaRouter"),
		chromedp.ProxyServer(outside.url),
		chromedp.Flag("proxy-bypass-list", "<-loopback>"), // not even loopback's
		chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.WSURLReadTimeout(patience),
	})...)
	defer cancel()
	chromium, cancel = chromedp.NewContext(chromium)
	defer cancel()
	if err := chromedp.Do(chromium); err != nil {
		return fail(err)
	}
	return m.Run()
}

// instance is a daemon.
type instance struct{ *process.Daemon }

// start runs the command with a state directory, and waits until it serves.
func start(ctx context.Context, port, state string, more ...string) (*instance, error) {
	env := slices.Concat(settings, more, []string{"FASTPYREPL_SERVER_PORT=" + port, "FASTPYREPL_STATE_DIR=" + state})
	d, err := process.Start(ctx, binary, env...)
	return &instance{d}, err
}

// startFor starts a daemon that ends with the test, and its sessions with it.
func startFor(t *testing.T, port, state string, more ...string) *instance {
	t.Helper()
	d, err := start(context.WithoutCancel(t.Context()), port, state, more...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(syscall.SIGINT); err != nil {
			t.Error(err)
		}
	})
	return d
}

// call sends a request to the daemon without the page, also when the test is over.
func (d *instance) call(t *testing.T, method, path, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, d.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return string(text)
}
