package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// commandMark begins what is for the program and not for the session. No Python begins with it.
const commandMark = ":"

// replCommands are what it knows, in the order of its help. Arguments are what follows the name.
var replCommands []replCommand

type replCommand struct {
	name, argument, help string
	run                  func(ctx context.Context, r *repl, argument string) error
}

func init() { // for :help lists them
	replCommands = []replCommand{
		{":help", "", "this list", helpCommand},
		{":vars", "", "list the variables", varsCommand},
		{":doc", "NAME", "what is known of a name", docCommand},
		{":time", "CODE", "run code and tell how long it ran", timeCommand},
		{":reset", "", "begin anew, without variables and files", resetCommand},
		{":quit", "", "leave, as Ctrl-D does", func(context.Context, *repl, string) error { return errLeft }},
	}
}

func commandNames() []string {
	names := make([]string, len(replCommands))
	for i, c := range replCommands {
		names[i] = c.name
	}
	return names
}

// command runs one.
func (r *repl) command(ctx context.Context, line string) error {
	name, argument, _ := strings.Cut(strings.TrimSpace(line), " ")
	i := slices.IndexFunc(replCommands, func(c replCommand) bool { return c.name == name })
	if i < 0 {
		return fmt.Errorf("there is no %s; :help lists what there is", name)
	}
	argument = strings.TrimSpace(argument)
	if c := replCommands[i]; (c.argument != "") != (argument != "") {
		return fmt.Errorf("want %s", strings.TrimSpace(c.name+" "+c.argument))
	}
	return replCommands[i].run(ctx, r, argument)
}

func helpCommand(_ context.Context, r *repl, _ string) error {
	w := tabwriter.NewWriter(r.process.stdout, 0, 0, 2, ' ', 0)
	for _, c := range replCommands {
		fmt.Fprintf(w, "%s\t%s\n", strings.TrimSpace(c.name+" "+c.argument), c.help)
	}
	fmt.Fprintln(w, "Tab\tcompletes, and indents where nothing stands before it")
	fmt.Fprintln(w, "Ctrl-R\tsearches the history")
	fmt.Fprintln(w, "Ctrl-C\tclears the line, or interrupts what runs; variables stay")
	fmt.Fprintln(w, "Ctrl-D\tleaves")
	return w.Flush()
}

func varsCommand(ctx context.Context, r *repl, _ string) error {
	found, err := r.client.Variables(ctx, r.session)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(r.process.stdout, 0, 0, 2, ' ', 0)
	for _, v := range found.Variables {
		size := ""
		switch {
		case len(v.Shape) > 0:
			size = strings.Trim(strings.Join(strings.Fields(fmt.Sprint(v.Shape)), "×"), "[]")
		case v.Size != nil:
			size = fmt.Sprint(*v.Size)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", v.Name, v.Type, size, firstLine(v.Repr))
	}
	if found.Omitted > 0 {
		fmt.Fprintf(w, "and %d more\n", found.Omitted)
	}
	return w.Flush()
}

// maxListed is how much of a repr a list shows, in characters.
const maxListed = 60

// firstLine is the beginning of a repr, on one line.
func firstLine(repr string) string {
	line := strings.Join(strings.Fields(repr), " ")
	if utf8.RuneCountInString(line) > maxListed {
		line = string([]rune(line)[:maxListed-3]) + "..."
	}
	return line
}

func docCommand(ctx context.Context, r *repl, name string) error {
	found, err := r.client.Inspect(ctx, r.session, name, utf8.RuneCountInString(name))
	if err != nil {
		return err
	}
	if !found.Found {
		return fmt.Errorf("%s stands for nothing", name)
	}
	what := found.Type
	if found.Signature != "" {
		what = found.Name + found.Signature
	}
	for _, text := range []string{what, found.Doc, found.Repr} {
		if text != "" {
			fmt.Fprintln(r.process.stdout, text)
		}
	}
	return nil
}

func timeCommand(ctx context.Context, r *repl, code string) error {
	if err := r.cell(ctx, code); err != nil {
		return err
	}
	r.say("%.6f s", r.took)
	return nil
}

func resetCommand(ctx context.Context, r *repl, _ string) error {
	if err := r.reset(ctx); err != nil {
		return err
	}
	r.say("session %s has begun anew", r.session)
	return nil
}
