package house_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gjyotin305/fastpyrepl"

// libraries may be imported below these packages alone.
var libraries = map[string][]string{
	"github.com/docker/":               {"sandbox/docker"},
	"github.com/containerd/":           {"sandbox/docker"},
	"github.com/moby/":                 {"sandbox/docker"},
	"github.com/opencontainers/":       {"sandbox/docker"},
	"github.com/gofiber/":              {"daemon"},
	"github.com/valyala/":              {"daemon"},
	"github.com/spf13/viper":           {"configs"},
	"github.com/spf13/cobra":           {"cmd/fastpyrepl"},
	"github.com/go-json-experiment/":   {"sandbox", "daemon"},
	"github.com/go-viper/mapstructure": {"configs"},
	"go.etcd.io/bbolt":                 {"sandbox/state"},
	"golang.org/x/time/":               {"daemon/auth"},
	"github.com/DeRuina/timberjack":    {"daemon/audit"},
	"github.com/google/jsonschema-go/": {"daemon"},
	"github.com/swaggest/":             {"daemon/openapi"},
	"github.com/prometheus/":           {"daemon/metrics"},
	"go.opentelemetry.io/":             {"daemon/tracing"},
	"google.golang.org/":               {"daemon/tracing"},
	"golang.org/x/net/":                {"daemon/ops"},
	"net/http/pprof":                   {"daemon/ops"},
	"github.com/coder/websocket":       {"client"},
	"golang.org/x/term":                {"cmd/fastpyrepl"},
	"github.com/reeflective/readline":  {"cmd/fastpyrepl"},
	"github.com/rivo/uniseg":           {"cmd/fastpyrepl"},
}

// arrows says what of ours a package, and those below it, may import. The longest name that fits counts.
var arrows = map[string][]string{
	"cmd/fastpyrepl":      {"client", "configs", "daemon", "sandbox", "runner-image"},
	"client":              {},
	"configs":             {},
	"daemon":              {"daemon", "sandbox"},
	"sandbox":             {"sandbox/wire"},
	"sandbox/wire":        {"sandbox/elastic"},
	"sandbox/elastic":     {},
	"sandbox/docker":      {"sandbox"},
	"sandbox/state":       {"sandbox"},
	"sandbox/sandboxtest": {"sandbox", "sandbox/wire"},
	"runner-image":        {},
	"bench":               {"sandbox/wire"},
	"test":                {},
}

// inTests may be imported by these packages' tests alone.
var inTests = map[string]string{
	"github.com/getkin/":          "test/contract",
	"github.com/santhosh-tekuri/": "test/contract",
	"github.com/chromedp/":        "test/browser",
}

type listed struct {
	Dir          string
	ImportPath   string
	Doc          string
	GoFiles      []string
	Imports      []string
	TestImports  []string // of tests in the package
	XTestImports []string // of tests beside it
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 5 {
		t.Fatalf("go list found %d packages", len(all))
	}
	return all
}

// under tells whether path is dir or below it.
func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func TestHouse_EachLibraryLivesInOnePlace(t *testing.T) {
	for _, p := range packages(t) {
		own := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, imported := range p.Imports {
			for library, homes := range libraries {
				atHome := slices.ContainsFunc(homes, func(home string) bool { return under(own, home) })
				if strings.HasPrefix(imported, library) && !atHome {
					t.Errorf("%s imports %s, which lives in %v", own, imported, homes)
				}
			}
		}
	}
}

func TestHouse_SoDoLibrariesOfTests(t *testing.T) {
	for _, p := range packages(t) {
		own := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			for library, home := range inTests {
				if strings.HasPrefix(imported, library) && (own != home || slices.Contains(p.Imports, imported)) {
					t.Errorf("%s imports %s, which lives in the tests of %s", own, imported, home)
				}
			}
		}
	}
}

func TestHouse_ArrowsPointInward(t *testing.T) {
	for _, p := range packages(t) {
		own := strings.TrimPrefix(p.ImportPath, module+"/")
		rule := ""
		for name := range arrows {
			if under(own, name) && len(name) > len(rule) {
				rule = name
			}
		}
		if rule == "" {
			t.Errorf("no rule says what %s may import", own)
			continue
		}
		for _, imported := range p.Imports {
			target, ours := strings.CutPrefix(imported, module+"/")
			if ours && !slices.ContainsFunc(arrows[rule], func(allowed string) bool { return under(target, allowed) }) {
				t.Errorf("%s imports %s; it may import %v", own, target, arrows[rule])
			}
		}
	}
}

func TestHouse_ADialectImportsNoOther(t *testing.T) {
	dialects := []string{"daemon/rest", "daemon/mcp", "daemon/e2b", "daemon/jupyter", "daemon/playground"}
	for _, p := range packages(t) {
		own := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, dialect := range dialects {
			for _, other := range dialects {
				if under(own, dialect) && other != dialect && slices.Contains(p.Imports, module+"/"+other) {
					t.Errorf("%s imports %s", own, other)
				}
			}
		}
	}
}

// The caller's methods put the owner into the names of sessions: a dialect that made them itself could forget it.
func TestHouse_DialectsNameSessionsThroughTheCaller(t *testing.T) {
	for _, p := range packages(t) {
		own := strings.TrimPrefix(p.ImportPath, module+"/")
		if !under(own, "daemon") || own == "daemon" {
			continue
		}
		for _, name := range p.GoFiles {
			source, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(source, []byte("sandbox.Key{ID")) || bytes.Contains(source, []byte("sandbox.Key{Owner")) {
				t.Errorf("%s/%s makes a sandbox.Key; daemon.Caller.Key does that", own, name)
			}
		}
	}
}

func TestHouse_EveryPackageHasOneDoc(t *testing.T) {
	for _, p := range packages(t) {
		if !slices.Contains(p.GoFiles, "doc.go") || p.Doc == "" {
			t.Errorf("%s has no doc.go that says what it owns", p.ImportPath)
		}
	}
}
