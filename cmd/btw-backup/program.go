package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"btw-backup/builtins"
	"btw-backup/internal/run"
	"btw-backup/internal/settings"
	"btw-backup/internal/span"
	"btw-backup/recipes"
	"btw-backup/starlib"
)

// program is one run of btw-backup.
type program struct {
	world  run.World
	stdout io.Writer
	log    *log
}

// output is standard output. It remembers the first error, so that nobody who
// prints need look, and the program can fail in the end.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// global are the flags of every command.
type global struct {
	quiet       bool
	verbose     bool
	configDir   string
	lockTimeout string
}

func (g *global) declare(flags *pflag.FlagSet) {
	flags.BoolVarP(&g.quiet, "quiet", "q", false, "make the command run quietly")
	flags.BoolVarP(&g.verbose, "verbose", "v", false, "name each file that is sent or deleted off-site")
	flags.StringVar(&g.configDir, "config-dir", g.configDir, "where the configuration is, a directory `DIR`")
	flags.StringVar(&g.lockTimeout, "lock-timeout", "", "how long to wait for another run, `SPAN` (90s, 2h); LOCK_TIMEOUT in config.py")
}

// main runs the program with its arguments and returns the exit status.
func (p *program) main(ctx context.Context, args []string) int {
	out := &output{Writer: p.stdout}
	p.stdout = out
	root, err := p.command(args)
	if err == nil {
		root.SetArgs(args)
		root.SetOut(p.stdout)
		root.SetErr(p.log.out)
		_, err = root.ExecuteContextC(ctx)
	}
	if err == nil {
		err = out.err
	}
	return p.report(ctx, err)
}

// command makes the tree of commands. Which recipes there are depends on the
// config directory, so the global flags are looked for before cobra sees them.
func (p *program) command(args []string) (*cobra.Command, error) {
	home, err := homeDir()
	if err != nil {
		return nil, err
	}
	g := &global{configDir: filepath.Join(home, ".btw-backup")}
	early := pflag.NewFlagSet("btw-backup", pflag.ContinueOnError)
	early.ParseErrorsAllowlist.UnknownFlags = true
	early.SetOutput(io.Discard)
	early.BoolP("help", "h", false, "")
	g.declare(early)
	_ = early.Parse(args) // cobra parses them again, and complains

	if g.configDir == "" {
		return nil, &usageError{err: errors.New("--config-dir is empty")}
	}
	if g.configDir, err = filepath.Abs(g.configDir); err != nil {
		return nil, err
	}
	if info, err := p.world.FS.Stat(g.configDir); err == nil && !info.IsDir() {
		return nil, &usageError{err: fmt.Errorf("--config-dir: %s is not a directory", g.configDir)}
	}
	p.log.quiet = g.quiet
	if g.verbose {
		p.world.Verbose = p.log.line
	}
	p.world.Log = p.log
	p.world.Config = settings.Dir{FS: p.world.FS, Path: g.configDir, Eval: starlib.EvalConfig, UID: os.Geteuid()}
	if g.lockTimeout != "" {
		limit, err := span.Parse(g.lockTimeout)
		if err == nil && limit < 0 {
			err = fmt.Errorf("%q is less than nothing", g.lockTimeout)
		}
		if err != nil {
			return nil, &usageError{err: fmt.Errorf("--lock-timeout: %w", err)}
		}
		p.world.LockTimeout = &limit
	}

	root := &cobra.Command{
		Use:   "btw-backup",
		Short: "Backup software for one server",
		Long: `Backs up the trees and databases of one server below ROOT_PATH, and keeps a
copy off-site. Each backup is made by a recipe, a short Starlark file; yours go
to the folder recipes in the config directory.

` + statusHelp,
		Example: `  btw-backup quickstart /etc            set up a first backup, and make it
  btw-backup fs-init --type tar /etc etc
  btw-backup fs /etc etc
  btw-backup list etc`,
		Version:       versionText(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{errors.New("a command is missing"), cmd}
			}
			return &usageError{fmt.Errorf("there is no command %q", args[0]), cmd}
		},
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	g.declare(root.PersistentFlags())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return &usageError{err, cmd} })
	root.SetHelpCommand(helpCommand(root))
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", helpWidth)))

	if err := p.addRecipes(root); err != nil {
		return nil, err
	}
	for _, cmd := range []*cobra.Command{p.fsInit(), p.syncState(), p.quickstart(), p.builtins()} {
		if found, _, err := root.Find([]string{cmd.Name()}); err == nil && found != root {
			continue // a recipe of the site's took the name
		}
		root.AddCommand(cmd)
	}
	return root, nil
}

// helpCommand is cobra's, but for a command that it does not know: that is an
// error.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Shows the help of a command",
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			found, _, err := root.Find(args)
			if err != nil || len(args) > 0 && found == root {
				return &usageError{fmt.Errorf("there is no command %q", strings.Join(args, " ")), cmd}
			}
			return found.Help()
		},
	}
}

// homeDir finds the home directory also in an environment without HOME.
func homeDir() (string, error) {
	if home := os.Getenv("HOME"); home != "" {
		return home, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("HOME is not set: use --config-dir (%w)", err)
	}
	return u.HomeDir, nil
}

// exactly refuses a command line with another number of arguments.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return &usageError{errors.New(names[len(args)] + " is missing"), cmd}
		case len(args) > len(names):
			return &usageError{fmt.Errorf("unexpected argument %q", args[len(names)]), cmd}
		}
		return nil
	}
}

// say prints a result to standard output, unless quiet.
func (p *program) say(format string, args ...any) error {
	if p.log.quiet {
		return nil
	}
	p.log.done()
	_, err := fmt.Fprintf(p.stdout, format+"\n", args...)
	return err
}

// host returns the host for the recipes of a run.
func (p *program) host(r *run.Run) *starlib.Host {
	dir := filepath.Join(p.world.Config.Path, "recipes")
	return &starlib.Host{
		Builtins:      builtins.All(r),
		Site:          siteFS{p.world.Config, dir},
		SiteName:      dir,
		Stock:         recipes.FS(),
		ReservedFlags: []string{"help", "h", "quiet", "q", "verbose", "v", "config-dir", "lock-timeout", "version"},
		Print: func(line string) {
			p.log.done()
			_, _ = fmt.Fprintln(p.stdout, line) // the output remembers its error
		},
	}
}
