// Package starlib hosts a program's procedures as Starlark files.
//
// A program that uses it has verbs, written in Go, and procedures, written in
// Starlark by the program's authors and by the people who run it. The package
// is the ground between the two and knows the trade of neither.
//
// # Builtins
//
// A [Builtin] is a verb. It is declared once, as a value: its name, its manual
// text, its parameters and its function. From that declaration the host checks
// the arguments of a call, and prints the manual ([Builtin.Manual], [Markdown]),
// so that there is no second copy of a signature to keep in step.
//
// What one verb hands to another is an [Object]: a Go value with a type name
// and attributes, opaque to Starlark otherwise.
//
// # Recipes
//
// A [Recipe] is a file with a docstring and a function run:
//
//	"""Copies a folder.
//
//	The copy is made beside the folder, and is replaced when it is there.
//	"""
//
//	def run(src, dst, exclude=[]):
//	    """Copies src to dst.
//
//	    Args:
//	      src: the folder
//	      dst: where the copy goes
//	      exclude: a pattern to leave out
//	    """
//	    copy(src, dst, exclude = exclude)
//
// It is a command as it stands. The file's name is the command's, the module's
// docstring its help. A required parameter of run is a positional argument, one
// with a default is a flag, and the default's type says of which kind. What a
// signature cannot say stands in a table of plain data beside run:
//
//	command = {
//	    "positional": ["[src]", "dst"],
//	    "exclude": {"short": "x", "metavar": "PATTERN"},
//	}
//
// "positional" gives the order on the command line; a name in brackets may be
// left out, and is filled only when there are arguments enough. The other keys
// are parameters, and may give a flag's long name ("flag"), its short one
// ("short") and the name of its value in the usage line ("metavar").
//
// # Files
//
// Files come from two file systems: the stock, which the program brings along,
// and the site's own. A command is looked up in the site first, so a site's file
// replaces a stock command. It never replaces a helper: a load that does not
// say otherwise stays in the file system of the file that asks.
//
//	load("lib/x.star", "f")           # beside this file
//	load("@stock//lib/x.star", "f")   # the program's
//	load("@site//lib/x.star", "f")    # the site's
//
// A file is executed when it is loaded, and that must have no effect: a builtin
// refuses to act until run is called, unless it says that it is pure.
//
// # Bounds
//
// There is no recursion, no while, no set, and at the top level of a file
// neither if nor for nor a second assignment. The number of steps is bounded,
// and a context stops a run between two steps. Memory is not bounded: recipes
// are written by people who may run programs on the machine anyway. The bounds
// catch mistakes, not malice.
//
// # Configuration
//
// [EvalConfig] evaluates a file of plain assignments with the same language,
// and explains what is wrong when the file turns out to be Python.
//
// # Errors
//
// What goes wrong in a file is an [*Error]: what happened, and the line of the
// file that asked for it, with its text. The Go error of a builtin is below it
// for [errors.As]. The package prints nothing.
package starlib
