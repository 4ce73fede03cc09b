package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gjyotin305/fastpyrepl/client"
	"github.com/gjyotin305/fastpyrepl/configs"
)

func (p *process) sessionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "List sessions, make and remove them",
		Args:  noArgs,
	}
	asJSON := cmd.Flags().Bool("json", false, "print them as JSON")
	p.clientCommand(cmd, func(ctx context.Context, c *client.Client, _ []string) error {
		list, err := c.Sessions(ctx, true)
		if err != nil {
			return err
		}
		if *asJSON {
			fmt.Fprintf(p.stdout, "%s\n", list.Raw)
			return nil
		}
		return p.listSessions(list.Sessions)
	})
	cmd.AddCommand(p.createSessionCommand(), p.removeSessionsCommand())
	return cmd
}

// listSessions prints a table.
func (p *process) listSessions(sessions []client.Session) error {
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SESSION\tOWNER\tSTATE\tCELLS\tMEMORY\tIMAGE\tAGE\tEXPIRES IN")
	for _, s := range sessions {
		memory, expires, owner := "-", "-", "-"
		if s.Usage != nil && s.Limits != nil {
			memory = fmt.Sprintf("%d/%d MiB", s.Usage.Memory>>20, s.Limits.Memory>>20)
		}
		if s.ExpiresAt != nil {
			expires = ago(time.Until(*s.ExpiresAt))
		}
		if s.Owner != "" {
			owner = s.Owner
		}
		state := s.State
		if s.Queued > 0 {
			state = fmt.Sprintf("%s+%d", state, s.Queued)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", s.ID, owner, state, s.ExecutionCount, memory, s.Image, ago(time.Since(s.CreatedAt)), expires)
	}
	return w.Flush()
}

// ago writes a time for people.
func ago(d time.Duration) string {
	switch d = max(0, d); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func (p *process) createSessionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create [ID]",
		Short: "Make a session and print its id",
		Args:  atMostOne,
	}
	var (
		req          client.SessionRequest
		memory, disk string
		env          []string
		ttl, idle    time.Duration
	)
	flags := cmd.Flags()
	p.clientCommand(cmd, func(ctx context.Context, c *client.Client, args []string) error {
		if len(args) > 0 {
			req.ID = args[0]
		}
		var err error
		if req.Env, err = p.environment(env); err != nil {
			return usageError{err}
		}
		for _, size := range []struct {
			flag, text string
			into       *int64
		}{{"--memory", memory, &req.Memory}, {"--disk", disk, &req.Disk}} {
			if size.text == "" {
				continue
			}
			n, err := configs.ParseSize(size.text)
			if err != nil {
				return usageError{fmt.Errorf("%s: %w", size.flag, err)}
			}
			*size.into = int64(n)
		}
		if flags.Changed("ttl") {
			req.TTL = &ttl
		}
		if flags.Changed("idle-ttl") {
			req.IdleTTL = &idle
		}
		s, err := c.CreateSession(ctx, req)
		if err != nil {
			return err
		}
		fmt.Fprintln(p.stdout, s.ID)
		return nil
	})
	flags.StringVar(&req.Image, "image", "", "`image`, one of docker.images")
	flags.StringVar(&memory, "memory", "", "most memory, a `size` such as 512MiB")
	flags.StringVar(&disk, "disk", "", "`size` of the working directory, such as 64MiB")
	flags.Float64Var(&req.CPUs, "cpus", 0, "`number` of cores")
	flags.Int64Var(&req.Pids, "pids", 0, "most processes and threads, a `number`")
	flags.StringArrayVar(&env, "env", nil, "set a variable of its environment, as `NAME=VALUE`, or NAME as it is here; may be repeated")
	flags.DurationVar(&req.Timeout, "timeout", 0, "interrupt code in it after this `time`, unless that names one itself")
	flags.DurationVar(&ttl, "ttl", 0, "end it after this `time`; 0 is never")
	flags.DurationVar(&idle, "idle-ttl", 0, "end it when nothing was executed in it for this `time`; 0 is never")
	return cmd
}

func atMostOne(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError{fmt.Errorf("want one ID, got %d; see %s --help", len(args), cmd.CommandPath())}
	}
	return nil
}

func (p *process) removeSessionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rm ID...",
		Short: "End sessions, and wait until they are gone",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{fmt.Errorf("want the IDs of sessions; see %s --help", cmd.CommandPath())}
			}
			return nil
		},
	}
	return p.clientCommand(cmd, func(ctx context.Context, c *client.Client, args []string) error {
		for _, id := range args {
			if _, err := c.Session(ctx, id); client.Status(err) == 404 { // a slip of the hand, which the daemon does not mind
				return explain(c, err)
			}
			if err := c.DeleteSession(ctx, id); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *process) resetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reset [ID]",
		Short: "End a session, so that its id begins anew, or all of one's own",
		Args:  atMostOne,
	}
	all := cmd.Flags().Bool("all", false, "end all sessions of one's own; with an administrator's key, everybody's")
	return p.clientCommand(cmd, func(ctx context.Context, c *client.Client, args []string) error {
		switch {
		case *all == (len(args) > 0):
			return usageError{errors.New("reset: want the ID of a session, or --all")}
		case *all:
			return c.ResetAll(ctx)
		}
		return c.DeleteSession(ctx, args[0])
	})
}
