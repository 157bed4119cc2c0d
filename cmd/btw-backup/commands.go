package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"btw-backup/builtins"
	"btw-backup/internal/run"
	"btw-backup/internal/settings"
	"btw-backup/internal/syncstate"
	"btw-backup/starlib"
)

func (p *program) fsInit() *cobra.Command {
	var kind string
	cmd := &cobra.Command{
		Use:   "fs-init --type {rdiff,tar} SRC NAME",
		Short: "Initializes the working directory for backups",
		Long: `Makes the directory NAME.HASH in the config directory, with a config.py that
says how SRC is to be backed up. This is done once for each SRC, before its
first backup. SRC need not exist yet.

Arguments:
  SRC            what is to be backed up: an absolute path, taken as it is
  NAME           a mnemonic`,
		Example: `  btw-backup fs-init --type tar /etc etc
  btw-backup fs-init --type rdiff /srv/www www`,
		Args:                  exactly("SRC", "NAME"),
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch kind {
			case "tar", "rdiff":
			case "":
				return &usageError{errors.New("--type is missing: tar or rdiff"), cmd}
			default:
				return &usageError{fmt.Errorf("--type must be tar or rdiff, not %q", kind), cmd}
			}
			var dir string
			err := p.world.WithConfig(cmd.Context(), settings.DefaultLockTimeout, func() (err error) {
				dir, err = p.world.Config.Init(args[0], args[1], kind)
				return err
			})
			if err != nil {
				return err
			}
			return p.say(prefix+"created %s", dir)
		},
	}
	cmd.Flags().StringVar(&kind, "type", "", "how to keep the backups: `{rdiff,tar}`")
	return cmd
}

func (p *program) syncState() *cobra.Command {
	var list, reset bool
	cmd := &cobra.Command{
		Use:   "sync-state {--list|--reset}",
		Short: "Shows or empties the sync state",
		Long: `The sync state records what the off-site copy still lacks, so that a sync that
was interrupted is completed later.

--list prints what has not been synced: what must be synced, deletions included,
and what must be pushed. An empty path is all of ROOT_PATH. --reset empties the file, and refuses
to if anything has not been synced.`,
		Example:               "  btw-backup sync-state --list\n  btw-backup sync-state --reset",
		Args:                  exactly(),
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case list && reset:
				return errors.New("--list and --reset are not allowed together")
			case list:
				return p.listState()
			case reset:
				general, err := p.world.General()
				if err != nil {
					return err
				}
				if err := p.world.CheckState(); err != nil {
					return err
				}
				if err := syncstate.Reset(cmd.Context(), p.world.StateConfig(general.LockTimeout)); err != nil {
					return err
				}
				return p.say("The state was reset")
			}
			return errors.New("must specify --list or --reset")
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list what must be synced or pushed")
	cmd.Flags().BoolVar(&reset, "reset", false, "empty the state, if nothing must be synced or pushed")
	return cmd
}

func (p *program) listState() error {
	if err := p.world.CheckState(); err != nil {
		return err
	}
	state, err := syncstate.Read(p.world.FS, run.StatePath(p.world.Config.Path))
	if err != nil {
		return err
	}
	for _, kind := range []struct {
		op   syncstate.Op
		verb string
	}{{syncstate.Sync, "sync"}, {syncstate.Push, "push"}} {
		for _, entry := range state.Pending {
			if entry.Op == kind.op {
				if _, err := fmt.Fprintf(p.stdout, "Must %s: %s\n", kind.verb, entry.Path); err != nil {
					return err
				}
			}
		}
	}
	if len(state.Pending) == 0 {
		p.log.Info("nothing is pending")
	}
	return nil
}

func (p *program) builtins() *cobra.Command {
	var markdown bool
	cmd := &cobra.Command{
		Use:                   "builtins [--markdown] [VERB]",
		Short:                 "Shows the manual of the verbs that recipes call",
		Example:               "  btw-backup builtins\n  btw-backup builtins compare",
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			all := builtins.All(nil)
			switch {
			case len(args) > 1:
				return &usageError{fmt.Errorf("unexpected argument %q", args[1]), cmd}
			case markdown:
				_, err := fmt.Fprint(p.stdout, referenceHead+starlib.Markdown(all))
				return err
			case len(args) == 1:
				for _, b := range all {
					if b.Name == args[0] {
						_, err := fmt.Fprintln(p.stdout, strings.TrimRight(b.Manual(), "\n"))
						return err
					}
				}
				return fmt.Errorf("there is no builtin %q; `btw-backup builtins` lists them", args[0])
			}
			for _, b := range all {
				if _, err := fmt.Fprintf(p.stdout, "%-22s %s\n", b.Name, b.Summary()); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print the whole reference, docs/builtins.md")
	return cmd
}

const referenceHead = `# The verbs that recipes call

<!-- Printed by "btw-backup builtins --markdown" from the declarations in the
folder builtins; go tool mage docs writes it anew. -->

Beside these, recipes have what Starlark brings: print writes to standard
output, fail ends the run with a message, and json.encode makes JSON of lists,
dicts and what verbs return.

`
