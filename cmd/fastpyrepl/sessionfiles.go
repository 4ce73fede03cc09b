package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gjyotin305/fastpyrepl/client"
)

func (p *process) filesCommand() *cobra.Command {
	cmd := group("files", "List the files of a session, fetch and send them", "ls, get or put")
	cmd.Long = cmd.Short + ".\n\n" + filesHelp
	cmd.AddCommand(p.listFilesCommand(), p.getFilesCommand(), p.putFilesCommand())
	return cmd
}

const filesHelp = `A PATH lies below the session's working directory, which is "."; SESSION is the id of one that is there.`

func (p *process) listFilesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ls SESSION [PATH]",
		Short: "List what is in a directory of a session",
		Args:  between(1, 2, "SESSION [PATH]"),
	}
	cmd.Long = cmd.Short + ", its working directory unless PATH says another.\n\n" + filesHelp
	var recursive, asJSON bool
	p.clientCommand(cmd, func(ctx context.Context, c *client.Client, args []string) error {
		dir := ""
		if len(args) > 1 {
			dir = remotePath(args[1])
		}
		all := &client.FileList{Path: dir, Entries: []client.File{}}
		for o := (client.ListOptions{Recursive: recursive}); ; {
			list, err := c.ListFiles(ctx, args[0], dir, o)
			if err != nil {
				return about(dir, err)
			}
			all.Entries = append(all.Entries, list.Entries...)
			if o.After = list.Next; o.After == "" {
				break
			}
		}
		if asJSON {
			return json.NewEncoder(p.stdout).Encode(all)
		}
		return p.printFiles(dir, all.Entries)
	})
	cmd.Flags().BoolVarP(&recursive, "recursive", "r", false, "list what is in the directories below, too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}

// printFiles prints a table of what is in a directory.
func (p *process) printFiles(dir string, files []client.File) error {
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TYPE\tMODE\tSIZE\tMODIFIED\tNAME")
	for _, f := range files {
		name := f.Name
		if f.Path != nil {
			name = strings.TrimPrefix(*f.Path, dir+"/")
		}
		if unprintable(name) {
			name = strconv.Quote(name)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", f.Type, f.Mode, f.Size, f.MTime.Local().Format(time.DateTime), name)
	}
	return w.Flush()
}

func (p *process) getFilesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "get SESSION PATH [LOCAL|-]",
		Short: "Fetch a file of a session, or a directory with all that is in it",
		Args:  between(2, 3, "SESSION PATH [LOCAL|-]"),
	}
	cmd.Long = cmd.Short + `.

It becomes LOCAL, or goes into it where that is a directory; without LOCAL it keeps its name, here. "-" is stdout, of a directory
as a tar. What is fetched appears when all of it has come: a file in the place of one that is there, a directory where nothing
is. Of directories, regular files and directories are fetched, and no links.

` + filesHelp
	return p.clientCommand(cmd, func(ctx context.Context, c *client.Client, args []string) error {
		from, to := remotePath(args[1]), "."
		if len(args) > 2 {
			to = args[2]
		}
		return transfer(ctx, func(ctx context.Context) error { return p.getFiles(ctx, c, args[0], from, to) })
	})
}

// getFiles fetches what a path names.
func (p *process) getFiles(ctx context.Context, c *client.Client, session, from, to string) error {
	f, err := c.GetFile(ctx, session, from)
	if errors.Is(err, client.ErrDirectory) {
		return p.getDirectory(ctx, c, session, from, to)
	}
	if err != nil {
		return about(from, err)
	}
	defer f.Close()
	if to == "-" {
		_, err = io.Copy(p.stdout, f)
	} else {
		err = saveFile(into(to, from), f)
	}
	return gone(ctx, err)
}

func (p *process) getDirectory(ctx context.Context, c *client.Client, session, from, to string) error {
	target := into(to, from)
	if _, err := os.Lstat(target); err == nil && to != "-" {
		return usageError{fmt.Errorf("%s is there already: a directory is fetched to where nothing is", target)}
	}
	archive, err := c.GetTar(ctx, session, from)
	if err != nil {
		return about(from, err)
	}
	defer archive.Close()
	if to == "-" {
		_, err = io.Copy(p.stdout, archive)
	} else {
		err = saveDirectory(target, archive)
	}
	return gone(ctx, err)
}

// into is where what is at a path goes: to, or below it where that is a directory.
func into(to, from string) string {
	if info, err := os.Stat(to); err == nil && info.IsDir() || strings.HasSuffix(to, string(filepath.Separator)) {
		return filepath.Join(to, path.Base(from))
	}
	return filepath.Clean(to)
}

// gone says why a transfer that ended with err did: the end of ctx, where that is the cause.
func gone(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the connection broke off, or the file became shorter meanwhile: nothing was fetched")
	}
	return err
}

func (p *process) putFilesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "put SESSION LOCAL|- [PATH]",
		Short: "Send a file to a session, or a directory with all that is in it",
		Args:  between(2, 3, "SESSION LOCAL|- [PATH]"),
	}
	cmd.Long = cmd.Short + `.

It becomes PATH, or goes below it where PATH ends in a slash; without PATH it keeps its name. "-" is stdin. A file appears when all of
it has come, in the place of one that is there; of a directory, each file does. Of directories, regular files and directories
are sent; what else there is, such as links, is named on stderr and left out.

` + filesHelp
	return p.clientCommand(cmd, func(ctx context.Context, c *client.Client, args []string) error {
		from, to := args[1], ""
		if len(args) > 2 {
			to = args[2]
		}
		if to == "" || strings.HasSuffix(to, "/") || remotePath(to) == "" {
			if from == "-" {
				return usageError{errors.New("files put: want the PATH of a file that stdin is written to")}
			}
			abs, err := filepath.Abs(from)
			if err != nil {
				return usageError{err}
			}
			to = path.Join(to, filepath.Base(abs))
		}
		return transfer(ctx, func(ctx context.Context) error { return p.putFiles(ctx, c, args[0], from, remotePath(to)) })
	})
}

// putFiles sends what is at from.
func (p *process) putFiles(ctx context.Context, c *client.Client, session, from, to string) error {
	if from == "-" {
		_, err := c.PutFile(ctx, session, to, unending(p.stdin), -1)
		return about(to, err)
	}
	f, err := os.Open(from)
	if err != nil {
		return usageError{err}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return usageError{err}
	}
	switch {
	case info.IsDir():
		return p.putDirectory(ctx, c, session, from, to) // whose errors name the file
	case info.Mode().IsRegular():
		_, err = c.PutFile(ctx, session, to, f, info.Size())
	default: // a pipe, which says no size
		_, err = c.PutFile(ctx, session, to, unending(f), -1)
	}
	return about(to, err)
}

// putDirectory sends a directory as a tar, while that is made.
func (p *process) putDirectory(ctx context.Context, c *client.Client, session, from, to string) error {
	root, err := os.OpenRoot(from)
	if err != nil {
		return usageError{err}
	}
	defer root.Close()
	r, w := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.CloseWithError(packDirectory(w, root, to, func(name string, mode fs.FileMode) {
			what := "neither a file nor a directory"
			if mode&fs.ModeSymlink != 0 {
				what = "a link"
			}
			fmt.Fprintf(p.stderr, "fastpyrepl: left out %q, %s\n", filepath.Join(from, name), what)
		}))
	}()
	_, err = c.PutTar(ctx, session, "", r)
	r.Close() // nobody reads what a refusal left unread
	<-ended
	var refused *client.Problem
	if errors.As(err, &refused) && len(refused.Written) > 0 {
		return fmt.Errorf("%w (%d files and directories had been written before)", err, len(refused.Written))
	}
	return err
}

// about says which path was refused.
func about(name string, err error) error {
	if client.Status(err) != 0 && name != "" {
		return fmt.Errorf("%s: %w", name, err)
	}
	return err
}

// remotePath is a path as people write it, as the daemon wants it: "" is the working directory.
func remotePath(text string) string {
	if text == "" {
		return ""
	}
	if text = path.Clean(text); text == "." {
		return ""
	}
	return text
}
