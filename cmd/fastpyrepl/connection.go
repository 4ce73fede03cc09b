package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gjyotin305/fastpyrepl/client"
	"github.com/gjyotin305/fastpyrepl/configs"
)

// defaultURL is where a daemon listens that was told nothing.
const defaultURL = "http://127.0.0.1:8000"

const connectionHelp = `The daemon is the one at --url, $FASTPYREPL_URL, url of the client file, or ` + defaultURL + `. The API key, where it
asks for one, comes from --key-file, $FASTPYREPL_API_KEY, or the client file's api_key or api_key_file, which go to the client file's URL
alone. No flag takes the key itself: others could read it in the list of processes. The client file is
$XDG_CONFIG_HOME/fastpyrepl/client.yaml, else ~/.config/fastpyrepl/client.yaml.`

// clientCommand is a command that talks to a daemon.
func (p *process) clientCommand(cmd *cobra.Command, do func(ctx context.Context, c *client.Client, args []string) error) *cobra.Command {
	url := cmd.Flags().String("url", "", "`URL` of the daemon (default $FASTPYREPL_URL, the client file's, or "+defaultURL+")")
	keyFile := cmd.Flags().String("key-file", "", "`file` with the API key (default $FASTPYREPL_API_KEY, or the client file's)")
	owner := cmd.Flags().String("owner", "", "reach what `name` has as one's own, with an administrator's key")
	cmd.Flags().SortFlags = false
	if cmd.Long == "" {
		cmd.Long = cmd.Short + "."
	}
	cmd.Long += "\n\n" + connectionHelp
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, done, err := p.connect(*url, *keyFile, *owner)
		if err != nil {
			return usageError{err}
		}
		defer done()
		return explain(c, do(cmd.Context(), c, args))
	}
	return cmd
}

// connect makes a client from what flags, environment and file say. The function it returns closes its connections.
func (p *process) connect(url, keyFile, owner string) (*client.Client, func(), error) {
	file, err := p.clientFile()
	if err != nil {
		return nil, nil, err
	}
	if url == "" {
		url = p.getenv("FASTPYREPL_URL")
	}
	key := p.getenv("FASTPYREPL_API_KEY")
	if url == "" || url == file.URL {
		if url = file.URL; url == "" {
			url = defaultURL
		}
		if key == "" && keyFile == "" {
			key, keyFile = file.APIKey, file.APIKeyFile
		}
	}
	if keyFile != "" {
		if key, err = readKey(keyFile); err != nil {
			return nil, nil, err
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	c, err := client.New(url, client.WithAPIKey(key), client.WithOwner(owner), client.WithUserAgent("fastpyrepl-cli/"+daemonVersion()),
		client.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		return nil, nil, err
	}
	return c, transport.CloseIdleConnections, nil
}

// clientFile reads the client file, if there is one.
func (p *process) clientFile() (*configs.Client, error) {
	dir := p.getenv("XDG_CONFIG_HOME")
	if home := p.getenv("HOME"); !filepath.IsAbs(dir) && filepath.IsAbs(home) {
		dir = filepath.Join(home, ".config")
	}
	if !filepath.IsAbs(dir) {
		return new(configs.Client), nil
	}
	file, err := configs.LoadClient(filepath.Join(dir, "fastpyrepl", "client.yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		return new(configs.Client), nil
	}
	return file, err
}

// readKey reads a file that holds an API key and nothing else.
func readKey(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the API key: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyLine+1))
	if err != nil {
		return "", fmt.Errorf("read the API key: %w", err)
	}
	key := strings.TrimSpace(string(text))
	if key == "" || len(text) > maxKeyLine || strings.ContainsAny(key, " \t\r\n") {
		return "", fmt.Errorf("%s: want an API key and nothing else in it", path)
	}
	return key, nil
}

// trouble is that the daemon was not reached, or refused.
type trouble struct{ error }

func (t trouble) Unwrap() error { return t.error }

// explain adds to an error what its reader can do about it, and tells trouble with the daemon from all others.
func explain(c *client.Client, err error) error {
	var u *client.Unreachable
	switch status := client.Status(err); {
	case errors.As(err, &u):
		return trouble{fmt.Errorf("no daemon answers at %s (%w): start one with `fastpyrepl serve`, or name another with --url", c.URL(), u.Err)}
	case status == http.StatusUnauthorized:
		return trouble{fmt.Errorf("%w; put it into $FASTPYREPL_API_KEY, or into a file for --key-file", err)}
	case status != 0:
		return trouble{err}
	}
	return err
}
