package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.starlark.net/starlark"

	"btw-backup/internal/exec"
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
	info, err := os.Stat(filepath.Join(s.dir, name))
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil, errors.New("it is not a file") // to read a pipe would take for ever
	}
	f, err := os.DirFS(s.dir).Open(name)
	var path *fs.PathError
	if errors.As(err, &path) {
		return nil, &fs.PathError{Op: path.Op, Path: filepath.Join(s.dir, name), Err: path.Err}
	}
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
	parts := []string{recipe.Summary, strings.TrimSpace(text), argumentHelp(recipe), statusHelp}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	cmd := &cobra.Command{
		Use:                   recipe.Usage,
		Short:                 recipe.Summary,
		Long:                  strings.Join(parts, "\n\n"),
		Example:               strings.TrimRight(examples, "\n"),
		DisableFlagsInUseLine: true,
	}
	var given []*recipeFlag
	for _, flag := range recipe.Flags {
		f := &recipeFlag{flag: flag, value: flag.GoDefault()}
		f.declare(cmd.Flags())
		given = append(given, f)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		values, err := recipe.Bind(args)
		if err != nil {
			return &usageError{err, cmd}
		}
		for _, f := range given {
			if !f.given {
				continue // the recipe has its own default
			}
			if values[f.flag.Param], err = f.flag.Value(f.value); err != nil {
				return err
			}
		}
		return p.runRecipe(cmd.Context(), recipe.Name, values)
	}
	return cmd
}

// runRecipe runs a recipe from beginning to end.
func (p *program) runRecipe(ctx context.Context, name string, values map[string]starlark.Value) error {
	_, err := p.perform(ctx, name, values)
	return err
}

// perform runs a recipe and returns the paths of the backups that it made.
func (p *program) perform(ctx context.Context, name string, values map[string]starlark.Value) (kept []string, err error) {
	world := p.world
	// If the settings cannot be read, the recipe will hear of it.
	if general, err := world.General(); err == nil {
		if tools, ok := world.Exec.(exec.OS); ok {
			tools.Stall = general.StallTimeout
			world.Exec = tools
		}
	}
	r := run.New(world)
	recipe, err := p.host(r).Load(ctx, name)
	if err == nil {
		_, err = recipe.Call(ctx, values)
	}
	if err = r.Finish(ctx, err); err != nil {
		return r.Kept(), &taleError{err: err, kept: r.Kept(), doubt: r.Doubt()}
	}
	return r.Kept(), nil
}

// argumentHelp lists the arguments with their manual texts.
func argumentHelp(recipe *starlib.Recipe) string {
	if len(recipe.Args) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("Arguments:")
	const column = 17 // where the texts begin
	for _, a := range recipe.Args {
		fmt.Fprintf(&b, "\n  %-*s", column-2, a.Metavar)
		width := column
		for word := range strings.FieldsSeq(a.Doc) {
			if width += len(word) + 1; width > helpWidth {
				b.WriteString("\n" + strings.Repeat(" ", column-1))
				width = column + len(word)
			}
			b.WriteString(" " + word)
		}
	}
	return b.String()
}

// helpWidth is the width of a help text: a terminal's.
const helpWidth = 79

// recipeFlag is a flag of a recipe, as pflag wants it.
type recipeFlag struct {
	flag  starlib.Flag
	value any // string, bool, int or []string
	given bool
}

// declare declares the flag. Its help names the value as the recipe does.
func (f *recipeFlag) declare(flags *pflag.FlagSet) {
	flag := flags.VarPF(f, f.flag.Name, f.flag.Short, f.flag.Doc)
	if f.flag.Kind == starlib.KindBool {
		flag.NoOptDefVal = "true"
	}
}

// Type implements pflag.Value: what the help shows.
func (f *recipeFlag) Type() string {
	if f.flag.Kind == starlib.KindBool {
		return "bool" // which the help leaves out
	}
	return f.flag.Metavar
}

// String implements pflag.Value: the default, for the help; "" hides it.
func (f *recipeFlag) String() string {
	if f.flag.Kind == starlib.KindInt {
		return fmt.Sprint(f.value)
	}
	return ""
}

// Set implements pflag.Value.
func (f *recipeFlag) Set(text string) (err error) {
	switch f.flag.Kind {
	case starlib.KindBool:
		f.value, err = strconv.ParseBool(text)
	case starlib.KindInt:
		f.value, err = strconv.Atoi(text)
	case starlib.KindList:
		var list []string
		if f.given {
			list = f.value.([]string)
		}
		f.value = append(list, text)
	default:
		f.value = text
	}
	f.given = true
	return err
}
