package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/internal/settings"
	"btw-backup/starlib"
)

// siteFS is the folder of the site's recipes. What others may write, root
// does not run.
type siteFS struct {
	config settings.Dir
	dir    string
}

// Open implements fs.FS.
func (s siteFS) Open(name string) (fs.File, error) {
	f, err := os.DirFS(s.dir).Open(name)
	if err != nil {
		return nil, err
	}
	if err := s.config.Guard(filepath.Join(s.dir, name)); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// addRecipes adds a command for each recipe. One that is broken keeps its
// place, and says what is wrong with it when it is called.
func (p *program) addRecipes(root *cobra.Command) error {
	h := p.host(nil)
	names, err := h.Recipes()
	if err != nil {
		return err
	}
	for _, name := range names {
		recipe, err := h.Load(context.Background(), name)
		if err != nil {
			root.AddCommand(&cobra.Command{
				Use: name, Short: "(this recipe cannot be loaded)",
				DisableFlagParsing: true,
				RunE:               func(*cobra.Command, []string) error { return err },
			})
			continue
		}
		root.AddCommand(p.recipeCommand(recipe))
	}
	return nil
}

// recipeCommand makes the command that a recipe is.
func (p *program) recipeCommand(recipe *starlib.Recipe) *cobra.Command {
	text, examples, _ := strings.Cut(recipe.Doc, "Examples:\n")
	cmd := &cobra.Command{
		Use:                   recipe.Usage,
		Short:                 recipe.Summary,
		Long:                  recipe.Summary + "\n\n" + strings.TrimSpace(text) + argumentHelp(recipe) + "\n\n" + statusHelp,
		Example:               strings.TrimRight(examples, "\n"),
		DisableFlagsInUseLine: true,
	}
	flags := cmd.Flags()
	for _, f := range recipe.Flags {
		declareFlag(flags, f)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		values, err := recipe.Bind(args)
		if err != nil {
			return &usageError{err, cmd}
		}
		for _, f := range recipe.Flags {
			if flags.Changed(f.Name) {
				if values[f.Param], err = flagValue(flags, f); err != nil {
					return err
				}
			}
		}
		return p.runRecipe(cmd.Context(), recipe.Name, values)
	}
	return cmd
}

// runRecipe runs a recipe from beginning to end.
func (p *program) runRecipe(ctx context.Context, name string, values map[string]starlark.Value) error {
	r := run.New(p.world)
	recipe, err := p.host(r).Load(ctx, name)
	if err == nil {
		_, err = recipe.Call(ctx, values)
	}
	if err = r.Finish(ctx, err); err != nil {
		return &taleError{err: err, kept: r.Kept()}
	}
	return nil
}

func argumentHelp(recipe *starlib.Recipe) string {
	var b strings.Builder
	for _, a := range recipe.Args {
		fmt.Fprintf(&b, "\n  %-14s %s", a.Metavar, a.Doc)
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n\nArguments:" + b.String()
}

func declareFlag(flags *pflag.FlagSet, f starlib.Flag) {
	doc := f.Doc
	if f.Metavar != "" {
		doc += " `" + f.Metavar + "`"
	}
	switch d := f.GoDefault().(type) {
	case bool:
		flags.BoolP(f.Name, f.Short, d, doc)
	case int:
		flags.IntP(f.Name, f.Short, d, doc)
	case []string:
		flags.StringArrayP(f.Name, f.Short, d, doc)
	case string:
		flags.StringP(f.Name, f.Short, d, doc)
	}
}

func flagValue(flags *pflag.FlagSet, f starlib.Flag) (starlark.Value, error) {
	var v any
	var err error
	switch f.Kind {
	case starlib.KindBool:
		v, err = flags.GetBool(f.Name)
	case starlib.KindInt:
		v, err = flags.GetInt(f.Name)
	case starlib.KindList:
		v, err = flags.GetStringArray(f.Name)
	default:
		v, err = flags.GetString(f.Name)
	}
	if err != nil {
		return nil, err
	}
	return f.Value(v)
}
