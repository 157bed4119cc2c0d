package starlib

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

const (
	sitePkg  = "site"
	stockPkg = "stock"
)

// A ref is the full name of a file: the file system and the path in it.
type ref struct{ pkg, path string }

func (r ref) String() string { return "@" + r.pkg + "//" + r.path }

// parseRef returns the file that a load statement in the file from means.
func parseRef(name string, from ref) (ref, error) {
	pkg, rel := from.pkg, path.Join(path.Dir(from.path), name)
	if rest, ok := strings.CutPrefix(name, "@"); ok {
		if pkg, rel, ok = strings.Cut(rest, "//"); !ok || pkg != sitePkg && pkg != stockPkg {
			return ref{}, fmt.Errorf("want @%s//FILE, @%s//FILE or a relative path", stockPkg, sitePkg)
		}
		rel = path.Clean(rel)
	}
	switch {
	case path.IsAbs(name) || path.IsAbs(rel):
		return ref{}, errors.New("the path is absolute; want a relative one")
	case pkg == "":
		return ref{}, fmt.Errorf("want @%s//FILE or @%s//FILE", stockPkg, sitePkg)
	case !fs.ValidPath(rel):
		return ref{}, fmt.Errorf("the path leaves @%s//", pkg)
	case path.Ext(rel) != ".star":
		return ref{}, errors.New("want a file whose name ends in .star")
	}
	return ref{pkg, rel}, nil
}

// A loader loads one file and what that loads, each file once, all on one
// thread, so that the trace of an error covers the whole chain.
type loader struct {
	host   *Host
	ctx    context.Context
	env    starlark.StringDict
	files  sources
	loaded map[ref]*Module
	stack  []ref // files that are being loaded, each by the one before
}

func (h *Host) newLoader(ctx context.Context) (*loader, error) {
	env, err := h.predeclared()
	if err != nil {
		return nil, err
	}
	return &loader{host: h, ctx: ctx, env: env, files: sources{}, loaded: map[ref]*Module{}}, nil
}

// display returns the name under which errors show a file.
func (l *loader) display(r ref) string {
	if r.pkg == sitePkg && l.host.SiteName != "" {
		return strings.TrimSuffix(l.host.SiteName, "/") + "/" + r.path
	}
	return r.String()
}

// read returns the text of a file.
func (l *loader) read(r ref) ([]byte, error) {
	fsys := l.host.Stock
	if r.pkg == sitePkg {
		fsys = l.host.Site
	}
	if fsys == nil {
		return nil, fmt.Errorf("there is no @%s//: %w", r.pkg, fs.ErrNotExist)
	}
	text, err := fs.ReadFile(fsys, r.path)
	if errors.Is(err, fs.ErrNotExist) {
		// A link to nowhere was meant to be the file. To go on to another of
		// that name would hide that.
		if _, lerr := fs.Lstat(fsys, r.path); lerr == nil {
			return nil, fmt.Errorf("%s: the file is a link to nowhere", l.display(r))
		}
		return nil, fmt.Errorf("%s: %w", l.display(r), fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.display(r), err)
	}
	return text, nil
}

// run executes a file on a thread of its own.
func (l *loader) run(r ref, text []byte) (*Module, error) {
	ex := l.host.execution(l.ctx, l.files)
	ex.loading = true
	ex.thread.Load = l.load
	var m *Module
	err := ex.do(func() (err error) {
		m, err = l.exec(ex.thread, r, text)
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// load carries out a load statement of the file on top of the stack.
func (l *loader) load(t *starlark.Thread, name string) (starlark.StringDict, error) {
	r, err := parseRef(name, l.stack[len(l.stack)-1])
	if err != nil {
		return nil, err
	}
	if m := l.loaded[r]; m != nil {
		return m.globals, nil
	}
	if i := slices.Index(l.stack, r); i >= 0 {
		var chain strings.Builder
		for _, link := range l.stack[i:] {
			chain.WriteString(l.display(link) + " -> ")
		}
		return nil, fmt.Errorf("the files load each other: %s%s", &chain, l.display(r))
	}
	text, err := l.read(r)
	if err != nil {
		// Not wrapped: it is not the recipe that does not exist.
		return nil, errors.New(err.Error())
	}
	m, err := l.exec(t, r, text)
	if err != nil {
		return nil, &loadError{l.files.callError(err)}
	}
	return m.globals, nil
}

// exec parses and executes a file.
func (l *loader) exec(t *starlark.Thread, r ref, text []byte) (*Module, error) {
	src, err := newSource(l.display(r), text)
	if err != nil {
		return nil, err
	}
	l.files[src.name] = src
	l.stack = append(l.stack, r)
	defer func() { l.stack = l.stack[:len(l.stack)-1] }()

	options := &syntax.FileOptions{} // the zero value is the strict dialect
	file, prog, err := starlark.SourceProgramOptions(options, src.name, src.text, l.env.Has)
	if err != nil {
		return nil, l.files.staticError(err)
	}
	globals, err := prog.Init(t, l.env)
	globals.Freeze()
	if err != nil {
		return nil, err
	}
	m := &Module{File: src.name, Doc: docstring(file), host: l.host, src: src, files: l.files, globals: globals, lines: definitions(file)}
	l.loaded[r] = m
	return m, nil
}

// docstring returns the string that the file begins with, or "".
func docstring(file *syntax.File) string {
	if len(file.Stmts) > 0 {
		if stmt, ok := file.Stmts[0].(*syntax.ExprStmt); ok {
			if lit, ok := stmt.X.(*syntax.Literal); ok && lit.Token == syntax.STRING {
				return lit.Value.(string)
			}
		}
	}
	return ""
}

// definitions returns the lines in which top-level names are bound, the last
// one for each.
func definitions(file *syntax.File) map[string]int {
	lines := map[string]int{}
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.DefStmt:
			lines[n.Name.Name] = int(n.Name.NamePos.Line)
			return false
		case *syntax.AssignStmt:
			if id, ok := n.LHS.(*syntax.Ident); ok {
				lines[id.Name] = int(id.NamePos.Line)
			}
			return false
		case syntax.Expr:
			return false
		}
		return true
	})
	return lines
}
