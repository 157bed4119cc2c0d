package starlib

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"go.starlark.net/lib/json"
	"go.starlark.net/starlark"
)

// DefaultMaxSteps is the number of steps that a run may take if the Host sets
// no other. It is some seconds' worth.
const DefaultMaxSteps = 100_000_000

// A Host loads and runs recipes.
type Host struct {
	Builtins []Builtin

	// Site and Stock hold the files. A command is looked up in Site first. Site
	// may be nil, and its folder may be missing.
	Site, Stock fs.FS

	// SiteName is put before the names of Site's files in errors, such as
	// "/etc/example/recipes". If it is empty, they begin with "@site//"; those
	// of the stock always begin with "@stock//".
	SiteName string

	// ReservedFlags are the flags, long and short and without dashes, that the
	// program keeps for itself. A recipe that wants one is refused.
	ReservedFlags []string

	// MaxSteps bounds the steps of loading a file, and those of each call. If it
	// is 0, DefaultMaxSteps does.
	MaxSteps uint64

	// Print receives what Starlark code prints. If it is nil, nothing does.
	Print func(line string)
}

// Recipes returns the names of all recipes, sorted: the .star files at the top
// of the site and of the stock. Tests (_test.star) and names that begin with a
// dot or an underscore are none.
func (h *Host) Recipes() ([]string, error) {
	var names []string
	for pkg, fsys := range map[string]fs.FS{sitePkg: h.Site, stockPkg: h.Stock} {
		if fsys == nil {
			continue
		}
		entries, err := fs.ReadDir(fsys, ".")
		if err != nil && (pkg != sitePkg || !errors.Is(err, fs.ErrNotExist)) {
			return nil, fmt.Errorf("the folder of @%s//: %w", pkg, err)
		}
		for _, e := range entries {
			if name, ok := strings.CutSuffix(e.Name(), ".star"); ok && !e.IsDir() && isRecipeName(name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// isRecipeName reports whether a file of that name would be a recipe.
func isRecipeName(name string) bool {
	return name != "" && !strings.ContainsAny(name, `/\`) &&
		name[0] != '.' && name[0] != '_' && !strings.HasSuffix(name, "_test")
}

// Load loads the recipe of that name. The error wraps [fs.ErrNotExist] if, and
// only if, there is no such recipe.
func (h *Host) Load(ctx context.Context, name string) (*Recipe, error) {
	if !isRecipeName(name) {
		return nil, fmt.Errorf("no recipe is named %q: %w", name, fs.ErrNotExist)
	}
	l, err := h.newLoader(ctx)
	if err != nil {
		return nil, err
	}
	for _, pkg := range []string{sitePkg, stockPkg} {
		r := ref{pkg, name + ".star"}
		text, err := l.read(r)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		m, err := l.run(r, text)
		if err != nil {
			return nil, err
		}
		return h.newRecipe(name, m, pkg == sitePkg)
	}
	return nil, fmt.Errorf("no recipe is named %q: %w", name, fs.ErrNotExist)
}

// Module loads a file that need be no recipe, such as a file of tests, under
// its full name: "@stock//copy_test.star".
func (h *Host) Module(ctx context.Context, file string) (*Module, error) {
	l, err := h.newLoader(ctx)
	if err != nil {
		return nil, err
	}
	r, err := parseRef(file, ref{})
	if err != nil {
		return nil, err
	}
	text, err := l.read(r)
	if err != nil {
		return nil, err
	}
	return l.run(r, text)
}

// predeclared returns the builtins by name, and Starlark's own module json: what
// one program prints another one reads.
func (h *Host) predeclared() (starlark.StringDict, error) {
	env := make(starlark.StringDict, len(h.Builtins)+1)
	env[json.Module.Name] = json.Module
	for _, b := range h.Builtins {
		if err := b.check(); err != nil {
			return nil, err
		}
		if env.Has(b.Name) || starlark.Universe.Has(b.Name) {
			return nil, fmt.Errorf("builtin %s: the name is taken", b.Name)
		}
		env[b.Name] = b.value()
	}
	return env, nil
}
